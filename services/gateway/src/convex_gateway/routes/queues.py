"""Queues: what is in them, and what was put aside after it had failed too often."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.contracts import DELIVERIES_DUE, EVENTS_ACCEPTED, MAX_DELIVERIES, DeliveryIds, EventsAccepted
from convex_common.domain.distribution import Distribution
from convex_common.domain.role import Role
from convex_common.errors import Forbidden, NotFound
from convex_common.logging import masked, redacted
from convex_common.measures import QUEUE_PROCESSING, QUEUE_WAIT
from convex_common.postgres import quarantine as rows
from convex_common.tracing import new_traceparent
from convex_gateway.figures import FigureScope, figures_of, latency, whose
from convex_gateway.operations import Authorized, Call, Resource
from convex_gateway.pagination import PageAsked, cursor_of, cut
from convex_gateway.shapes.queues import MOST, Chosen, Moved, QuarantinedPage, QueueName, Queues

resource = Resource("queues")

EXCERPT: Final = 500


@resource.operation("GET", "/queues", role=Role.VIEWER, answer=Queues)
async def list_queues(
    call: Authorized,
    scope: Annotated[
        FigureScope, Query(description="The whole installation takes a token with the claim `operator`")
    ] = FigureScope.WORKSPACE,
) -> object:
    """List the queues: what is in them, how long it waits and takes."""
    figures = await figures_of(call.gateway, whose(call.principal, scope))

    def told(measure: str, queue: str) -> object:
        if figures.measured is None:
            return None
        return latency(figures.measured.recent.spread(measure).get(queue, Distribution()))

    return {
        "items": [
            {
                "name": name,
                **figures.history.states(name),
                "wait": told(QUEUE_WAIT, name),
                "processing": told(QUEUE_PROCESSING, name),
            }
            for name in QueueName
        ]
    }


@resource.operation("GET", "/queues/{name}/quarantine", role=Role.EDITOR, answer=QuarantinedPage)
async def list_quarantined(call: Authorized, name: QueueName, asked: PageAsked) -> object:
    """List what was put aside, the newest first. Jobs take a token with the claim `operator`, here and below."""
    quarantine = _quarantine(call, name)
    async with call.transaction() as connection:
        found = await quarantine.page(connection, before=asked.after, count=asked.limit + 1)
    items, last = cut(found, asked.limit)
    return {"items": [_told(name, item) for item in items], "next_cursor": cursor_of(last.id if last else None)}


@resource.operation("POST", "/queues/{name}/quarantine/replay", role=Role.EDITOR, answer=Moved, status=202)
async def replay_quarantined(call: Authorized, name: QueueName, chosen: Chosen) -> object:
    """Put back to work what was put aside, as if it had never failed: these, or the oldest 500.

    An event keeps its place: it goes before those of its alert that were accepted after it and still wait.
    """
    return await _replay(call, _quarantine(call, name), chosen.ids)


@resource.operation("POST", "/queues/{name}/quarantine/drop", role=Role.ADMIN, answer=Moved)
async def drop_quarantined(call: Authorized, name: QueueName, chosen: Chosen) -> object:
    """Give up for good what was put aside: these, or the oldest 500."""
    return await _drop(call, _quarantine(call, name), chosen.ids)


@resource.operation("POST", "/queues/{name}/quarantine/{item_id}/replay", role=Role.EDITOR, answer=Moved, status=202)
async def replay_one_quarantined(call: Authorized, name: QueueName, item_id: uuid.UUID) -> object:
    """Put one back to work, as if it had never failed."""
    return _one(await _replay(call, _quarantine(call, name), [item_id]))


@resource.operation("POST", "/queues/{name}/quarantine/{item_id}/drop", role=Role.ADMIN, answer=Moved)
async def drop_one_quarantined(call: Authorized, name: QueueName, item_id: uuid.UUID) -> object:
    """Give one up for good."""
    return _one(await _drop(call, _quarantine(call, name), [item_id]))


def _quarantine(call: Call, name: QueueName) -> rows.Quarantine:
    if name is QueueName.ALERT:
        return rows.EventQuarantine(name, call.workspace_id)
    if name is QueueName.NOTIFICATION:
        return rows.DeliveryQuarantine(name, call.workspace_id)
    if not call.principal.operator:
        raise Forbidden("jobs belong to the installation, and take a token with the claim operator")
    return rows.JobQuarantine(name, call.workspace_id)


async def _replay(call: Call, quarantine: rows.Quarantine, ids: Sequence[uuid.UUID] | None) -> Moved:
    traceparent = new_traceparent()
    async with call.transaction() as connection:
        chosen = await quarantine.oldest(connection, MOST) if ids is None else ids
        moved = await quarantine.replay(connection, chosen, traceparent)
        remaining = await quarantine.size(connection)
        await _record(call, connection, "quarantine.replayed", quarantine, moved)
        call.after_commit(lambda: _hint(call, quarantine, moved, traceparent))
    return Moved(ids=[one.id for one in moved], remaining=remaining)


async def _drop(call: Call, quarantine: rows.Quarantine, ids: Sequence[uuid.UUID] | None) -> Moved:
    async with call.transaction() as connection:
        chosen = await quarantine.oldest(connection, MOST) if ids is None else ids
        moved = await quarantine.drop(connection, chosen)
        remaining = await quarantine.size(connection)
        await _record(call, connection, "quarantine.dropped", quarantine, moved)
    return Moved(ids=[one.id for one in moved], remaining=remaining)


async def _record(
    call: Call, connection: AsyncConnection, action: str, quarantine: rows.Quarantine, moved: Sequence[rows.Moved]
) -> None:
    if moved:
        await call.audit(connection, action, f"queue:{quarantine.queue}", ids=[str(one.id) for one in moved])


async def _hint(call: Call, quarantine: rows.Quarantine, moved: Sequence[rows.Moved], traceparent: str) -> None:
    """Jobs need none: their pollers look every second."""
    sender = call.gateway.sender
    shards = sorted({one.shard for one in moved if one.shard is not None})
    if shards:
        await sender.send(EVENTS_ACCEPTED, EventsAccepted(tuple(shards)), traceparent)
    if quarantine.queue == DELIVERIES_DUE.queue:
        for start in range(0, len(moved), MAX_DELIVERIES):
            due = DeliveryIds(tuple(str(one.id) for one in moved[start : start + MAX_DELIVERIES]))
            await sender.send(DELIVERIES_DUE, due, traceparent)


def _one(moved: Moved) -> Moved:
    if not moved.ids:
        raise NotFound("there is no such thing in this quarantine")
    return moved


def _told(name: QueueName, item: rows.Quarantined) -> dict[str, object]:
    return {
        "id": item.id,
        "queue": name,
        "kind": item.kind,
        "reason": redacted(item.reason),
        "attempts": item.attempts,
        "quarantined_at": item.quarantined_at,
        "payload": excerpt(item.payload),
    }


def excerpt(payload: bytes) -> str:
    """The start of a payload, without what its name or its form says is a secret."""
    try:
        shown = msgspec.json.encode(masked(msgspec.json.decode(payload)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        shown = payload
    return redacted(shown.decode(errors="replace"))[:EXCERPT]
