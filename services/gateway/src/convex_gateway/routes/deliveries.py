"""Deliveries: the ledger of what was sent where."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Annotated

from fastapi import Query

from convex_common.contracts import DELIVERIES_DUE, DeliveryIds
from convex_common.domain.role import Role
from convex_common.errors import Conflict, NotFound
from convex_common.postgres import deliveries as rows
from convex_common.tracing import new_traceparent
from convex_gateway.operations import Authorized, Resource
from convex_gateway.pagination import PageAsked, cursor_of, cut
from convex_gateway.shapes.deliveries import Delivery, DeliveryPage, DeliveryStatus

resource = Resource("deliveries")


@resource.operation("GET", "/deliveries", role=Role.VIEWER, answer=DeliveryPage)
async def list_deliveries(
    call: Authorized,
    asked: PageAsked,
    status: Annotated[DeliveryStatus | None, Query()] = None,
    channel_id: uuid.UUID | None = None,
    alert_id: uuid.UUID | None = None,
) -> object:
    """List deliveries with their attempts, the newest first."""
    wanted = {"status": status, "channel_id": channel_id, "alert_id": alert_id}
    where = {name: value for name, value in wanted.items() if value is not None}
    async with call.transaction() as connection:
        found = await rows.page(connection, call.workspace_id, before=asked.after, count=asked.limit + 1, where=where)
    items, last = cut(found, asked.limit)
    return {"items": items, "next_cursor": cursor_of(last.id if last else None)}


@resource.operation("GET", "/deliveries/{delivery_id}", role=Role.VIEWER, answer=Delivery)
async def get_delivery(call: Authorized, delivery_id: uuid.UUID) -> object:
    """Get a delivery with its attempts."""
    async with call.transaction() as connection:
        return _found(await rows.find(connection, call.workspace_id, delivery_id))


@resource.operation(
    "POST", "/deliveries/{delivery_id}/replay", role=Role.EDITOR, answer=Delivery, status=202, errors=(409,)
)
async def replay_delivery(call: Authorized, delivery_id: uuid.UUID) -> object:
    """Send a finished delivery again, under its old id; the ledger keeps the earlier attempts."""
    traceparent = new_traceparent()
    async with call.transaction() as connection:
        await rows.lock(connection, call.workspace_id, delivery_id)
        delivery = _found(await rows.find(connection, call.workspace_id, delivery_id))
        if delivery.status == DeliveryStatus.PENDING:
            raise Conflict("the delivery is under way already")
        if delivery.channel_deleted:
            raise Conflict("the delivery's channel was deleted")
        await rows.replay(connection, call.workspace_id, delivery_id, traceparent)
        replayed = _found(await rows.find(connection, call.workspace_id, delivery_id))
        told = {"channel_id": delivery.channel_id, "status": delivery.status}
        await call.audit(connection, "delivery.replayed", f"delivery:{delivery_id}", **told)
    hint = DeliveryIds((str(delivery_id),))
    call.after_commit(partial(call.gateway.sender.send, DELIVERIES_DUE, hint, traceparent))
    return replayed


def _found(delivery: rows.Delivery | None) -> rows.Delivery:
    if delivery is None:
        raise NotFound("there is no such delivery in this workspace")
    return delivery
