"""The ledger of deliveries, for people: what was sent where, how it went, and once more."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, Select, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.ids import floor, milliseconds
from convex_common.postgres.tables import attempts, channels, deliveries, delivery_recipients, notifications
from convex_common.postgres.timeline import CLOCKS_APART_MS


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a delivery."""

    id: uuid.UUID
    number: int
    outcome: str
    status_code: int | None
    error: str | None
    answer: str | None
    started_at: dt.datetime
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification to one channel; `failures` count since it was made or replayed."""

    id: uuid.UUID
    notification_id: uuid.UUID
    cause: str
    alert_id: uuid.UUID | None
    channel_id: uuid.UUID
    channel_name: str
    channel_kind: str
    channel_deleted: bool
    status: str
    failures: int
    next_attempt_at: dt.datetime | None
    delayed_reason: str | None
    last_error: str | None
    created_at: dt.datetime
    finished_at: dt.datetime | None
    attempts: tuple[Attempt, ...] = ()


async def page(
    connection: AsyncConnection,
    workspace_id: uuid.UUID,
    *,
    before: uuid.UUID | None,
    count: int,
    where: Mapping[str, Any],
) -> Sequence[Delivery]:
    """Up to `count` deliveries with their attempts, the newest first; `where` are columns and their values."""
    query = _described(workspace_id)
    for name, value in where.items():
        query = query.where(deliveries.c[name] == value)
    if before is not None:
        query = query.where(deliveries.c.id < before)
    rows = (await connection.execute(query.order_by(deliveries.c.id.desc()).limit(count))).all()
    return await _with_attempts(connection, workspace_id, rows)


async def find(connection: AsyncConnection, workspace_id: uuid.UUID, delivery_id: uuid.UUID) -> Delivery | None:
    """One delivery with its attempts, or None."""
    rows = (await connection.execute(_described(workspace_id).where(deliveries.c.id == delivery_id))).all()
    return next(iter(await _with_attempts(connection, workspace_id, rows)), None)


async def lock(connection: AsyncConnection, workspace_id: uuid.UUID, delivery_id: uuid.UUID) -> None:
    """Keep workers and others from it until the transaction ends."""
    query = select(deliveries.c.id).where(deliveries.c.workspace_id == workspace_id, deliveries.c.id == delivery_id)
    await connection.execute(query.with_for_update())


async def replay(
    connection: AsyncConnection, workspace_id: uuid.UUID, delivery_id: uuid.UUID, traceparent: str
) -> None:
    """Make a finished delivery due again, as if it were new; its attempts stay on the ledger.

    An e-mail that some of its recipients did not get goes to those; one that all of them got goes to all again.
    """
    r, d = delivery_recipients.c, deliveries.c
    had_by_all = select(d.id).where(d.workspace_id == workspace_id, d.id == delivery_id, d.status == "delivered")
    await connection.execute(
        delete(delivery_recipients).where(
            r.workspace_id == workspace_id, r.delivery_id == delivery_id, or_(r.code >= 300, had_by_all.exists())
        )
    )
    await connection.execute(
        update(deliveries)
        .where(deliveries.c.workspace_id == workspace_id, deliveries.c.id == delivery_id)
        .values(
            status="pending",
            attempts=0,
            expiries=0,
            due_at=func.now(),
            next_attempt_at=None,
            lease_token=None,
            lease_until=None,
            delayed_reason=None,
            last_error=None,
            finished_at=None,
            traceparent=traceparent,
        )
    )


async def create_test(
    connection: AsyncConnection,
    workspace_id: uuid.UUID,
    *,
    notification_id: uuid.UUID,
    delivery_id: uuid.UUID,
    channel_id: uuid.UUID,
    target: str,
    data: bytes,
    traceparent: str,
) -> None:
    """A test notification that belongs to no alert, and its one delivery."""
    await connection.execute(
        insert(notifications).values(
            workspace_id=workspace_id, id=notification_id, alert_id=None, cause="test", sequence=1, data=data
        )
    )
    await connection.execute(
        insert(deliveries).values(
            workspace_id=workspace_id,
            id=delivery_id,
            notification_id=notification_id,
            channel_id=channel_id,
            target=target,
            traceparent=traceparent,
        )
    )


def _described(workspace_id: uuid.UUID) -> Select[tuple[Any, ...]]:
    d, n, c = deliveries.c, notifications.c, channels.c
    return (
        select(
            d.id, d.notification_id, n.cause, d.alert_id, d.channel_id, c.name, c.kind, c.deleted_at.is_not(None),
            d.status, d.attempts, d.next_attempt_at, d.delayed_reason, d.last_error, d.created_at, d.finished_at,
        )
        .join(notifications, (n.workspace_id == d.workspace_id) & (n.id == d.notification_id))
        .join(channels, (c.workspace_id == d.workspace_id) & (c.id == d.channel_id))
        .where(d.workspace_id == workspace_id)
    )  # fmt: skip


async def _with_attempts(
    connection: AsyncConnection, workspace_id: uuid.UUID, rows: Sequence[Row[Any]]
) -> list[Delivery]:
    found = [Delivery(*tuple(row)) for row in rows]
    if not found:
        return []
    oldest = floor(max(0, min(milliseconds(delivery.id) for delivery in found) - CLOCKS_APART_MS))
    a = attempts.c
    query = select(
        a.delivery_id, a.id, a.number, a.outcome, a.status_code, a.error, a.answer, a.started_at, a.duration_ms
    ).where(a.workspace_id == workspace_id, a.id >= oldest, a.delivery_id.in_([delivery.id for delivery in found]))
    ledger: dict[uuid.UUID, list[Attempt]] = defaultdict(list)
    for delivery_id, *columns in await connection.execute(query.order_by(a.id)):
        ledger[delivery_id].append(Attempt(*columns))
    return [replace(delivery, attempts=tuple(ledger[delivery.id])) for delivery in found]
