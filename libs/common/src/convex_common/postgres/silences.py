"""Silences as rows, for those who make them; `configuration` has them as the domain wants them."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.domain.fingerprint import shard_of
from convex_common.domain.silence import Silence, State, silence_key, silenceable_labels
from convex_common.events import SilenceDue, encode
from convex_common.postgres.alert_rows import COLUMNS, alert_of
from convex_common.postgres.configuration import silence_of
from convex_common.postgres.tables import alerts, silences

MOST: Final = 1000
"""Silences of a workspace that are not over: each is held against every alert that people would be told of."""
MAX_LOOKED_AT: Final = 20_000
"""Alerts that a preview reads, the newest."""
AT_ONCE: Final = 500

DUE = text(
    """INSERT INTO timers (workspace_id, kind, subject, due_at, shard, key, payload)
VALUES (:workspace, 'silence', :subject, coalesce(CAST(:due_at AS timestamptz), now()), :shard, :key, :payload)
ON CONFLICT (workspace_id, kind, subject) DO UPDATE SET due_at = excluded.due_at, payload = excluded.payload"""
)


@dataclass(frozen=True, slots=True)
class Stored:
    """A silence and who made it, what for, and who ended it."""

    silence: Silence
    comment: str
    created_by: str
    created_at: dt.datetime
    expired_by: str | None


async def create(
    connection: AsyncConnection, workspace_id: uuid.UUID, silence: Silence, comment: str, created_by: str
) -> Stored:
    """The silence, made; the alerts that it fits are looked at as soon as it is in effect."""
    values = {
        "workspace_id": workspace_id,
        "id": silence.id,
        "matchers": [{"name": one.name, "op": one.op.value, "value": one.value} for one in silence.matchers],
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "rrule": silence.rrule,
        "timezone": silence.timezone,
        "comment": comment,
        "created_by": created_by,
        "over_at": silence.over_at,
    }
    made = (await connection.execute(insert(silences).values(values).returning(*_COLUMNS))).one()
    return _of(made)


async def count_unexpired(connection: AsyncConnection, workspace_id: uuid.UUID, now: dt.datetime) -> int:
    """How many are not over."""
    found = await connection.execute(
        select(func.count()).where(silences.c.workspace_id == workspace_id, now < _OVER).select_from(silences)
    )
    return int(found.scalar_one())


async def find(connection: AsyncConnection, workspace_id: uuid.UUID, silence_id: uuid.UUID) -> Stored | None:
    """The silence, over or not."""
    found = (await connection.execute(_select(workspace_id).where(silences.c.id == silence_id))).one_or_none()
    return None if found is None else _of(found)


async def page(
    connection: AsyncConnection,
    workspace_id: uuid.UUID,
    state: State | None,
    now: dt.datetime,
    *,
    before: uuid.UUID | None,
    count: int,
) -> Sequence[Stored]:
    """Up to `count` silences in a state, the newest first, from those made before the one with the id `before`."""
    query = _select(workspace_id).order_by(silences.c.id.desc())
    if before is not None:
        query = query.where(silences.c.id < before)
    if state in (None, State.EXPIRED):
        over = query if state is None else query.where(now >= _OVER)
        return [_of(row) for row in await connection.execute(over.limit(count))]
    # What recurs is known to be in effect by working it out only; of those that are not over there are at most MOST.
    rows = await connection.execute(query.where(now < _OVER).limit(MOST))
    found = (_of(row) for row in rows)
    return [one for one in found if one.silence.state(now) is state][:count]


async def expire(
    connection: AsyncConnection, workspace_id: uuid.UUID, silence_id: uuid.UUID, user_id: str, now: dt.datetime
) -> Stored:
    """End it now; it stays as history."""
    ended = (
        update(silences)
        .where(silences.c.workspace_id == workspace_id, silences.c.id == silence_id)
        .values(expired_at=now, expired_by=user_id, over_at=now)
    )
    return _of((await connection.execute(ended.returning(*_COLUMNS))).one())


async def look_at(
    connection: AsyncConnection, workspace_id: uuid.UUID, silence_id: uuid.UUID, due_at: dt.datetime | None
) -> None:
    """Let the processors see whom it concerns, at `due_at` or after the commit."""
    key = silence_key(silence_id)
    await connection.execute(
        DUE,
        {
            "workspace": workspace_id,
            "subject": str(silence_id),
            "due_at": due_at,
            "shard": shard_of(key),
            "key": key,
            "payload": encode(SilenceDue(silence_id=silence_id)),
        },
    )


@dataclass(frozen=True, slots=True)
class Fitting:
    """What a silence would be about; `cut` where there are more alerts than were looked at."""

    open_ids: Sequence[uuid.UUID]
    last_day: int
    cut: bool


async def fitting(connection: AsyncConnection, workspace_id: uuid.UUID, silence: Silence, now: dt.datetime) -> Fitting:
    """The open alerts that it fits, the newest first, and how many of those that fired within a day."""
    day = now - dt.timedelta(days=1)
    query = (
        select(*(alerts.c[name] for name in COLUMNS))
        .where(alerts.c.workspace_id == workspace_id)
        .where((alerts.c.status != "resolved") | (alerts.c.triggered_at >= day))
        .order_by(alerts.c.id.desc())
        .limit(MAX_LOOKED_AT + 1)
    )
    open_ids: list[uuid.UUID] = []
    last_day = seen = 0
    async with connection.stream(query) as rows:
        async for some in rows.partitions(AT_ONCE):
            for row in some:
                seen += 1
                alert = alert_of(row)
                if seen <= MAX_LOOKED_AT and silence.fits(silenceable_labels(alert)):
                    last_day += alert.triggered_at >= day
                    if alert.is_open:
                        open_ids.append(alert.id)
    return Fitting(open_ids, last_day, seen > MAX_LOOKED_AT)


_OVER = func.coalesce(silences.c.over_at, silences.c.ends_at)
_COLUMNS = (
    silences.c.id,
    silences.c.matchers,
    silences.c.starts_at,
    silences.c.ends_at,
    silences.c.rrule,
    silences.c.timezone,
    silences.c.expired_at,
    silences.c.comment,
    silences.c.created_by,
    silences.c.created_at,
    silences.c.expired_by,
)


def _select(workspace_id: uuid.UUID) -> Select[Any]:
    return select(*_COLUMNS).where(silences.c.workspace_id == workspace_id)


def _of(row: Any) -> Stored:
    return Stored(silence_of(*row[:7]), *row[7:])
