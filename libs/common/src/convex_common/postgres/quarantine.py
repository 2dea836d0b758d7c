"""What failed too often and waits for a person, who sends it round again or drops it: events, deliveries, job runs."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.errors import Conflict

_IDS: Final = bindparam("ids", type_=ARRAY(Uuid))


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Something put aside. `kind` is the event's, the channel's, or the job's name; `payload` what it was about."""

    id: UUID
    kind: str
    reason: str
    attempts: int
    quarantined_at: dt.datetime
    payload: bytes


@dataclass(frozen=True, slots=True)
class Moved:
    """What was taken out; of an event with its shard."""

    id: UUID
    shard: int | None = None


class Quarantine(ABC):
    """One queue's quarantine, as one workspace sees it. What somebody else has taken out meanwhile is passed over."""

    _SELECT: ClassVar[str]
    _REPLAY: ClassVar[str]
    _DROP: ClassVar[str]

    def __init__(self, queue: str, workspace_id: UUID) -> None:
        self.queue = queue
        self._values: Mapping[str, Any] = {"workspace": workspace_id, "queue": queue}

    async def page(self, connection: AsyncConnection, *, before: UUID | None, count: int) -> list[Quarantined]:
        """Up to `count`, the newest first."""
        bound = "" if before is None else "AND x.id < :before"
        query = f"SELECT * FROM ({self._SELECT}) x WHERE true {bound} ORDER BY x.id DESC LIMIT :count"  # noqa: S608
        values = {**self._values, "count": count} | ({} if before is None else {"before": before})
        found = await connection.execute(text(query), values)
        return [
            Quarantined(id_, kind, reason, attempts, at, bytes(payload))
            for id_, kind, reason, attempts, at, payload in found
        ]

    async def oldest(self, connection: AsyncConnection, count: int) -> list[UUID]:
        """Ids of those that have waited longest."""
        query = f"SELECT x.id FROM ({self._SELECT}) x ORDER BY x.id LIMIT :count"  # noqa: S608
        return list((await connection.execute(text(query), {**self._values, "count": count})).scalars())

    async def size(self, connection: AsyncConnection) -> int:
        """How many there are."""
        query = f"SELECT count(*) FROM ({self._SELECT}) x"  # noqa: S608
        return int((await connection.execute(text(query), self._values)).scalar_one())

    @abstractmethod
    async def replay(self, connection: AsyncConnection, ids: Sequence[UUID], traceparent: str) -> list[Moved]:
        """Put them back to work as if they had never failed."""

    async def drop(self, connection: AsyncConnection, ids: Sequence[UUID]) -> list[Moved]:
        """Give them up for good."""
        return await self._move(connection, self._DROP, ids)

    async def _move(
        self, connection: AsyncConnection, statement: str, ids: Sequence[UUID], **more: object
    ) -> list[Moved]:
        values = {**self._values, "ids": list(ids), **more}
        moved = await connection.execute(text(statement).bindparams(_IDS), values)
        return [Moved(*row) for row in moved]


class EventQuarantine(Quarantine):
    """Events. One that is replayed keeps its id and so its place: before what was accepted after it and still waits."""

    _SELECT = """SELECT q.id, q.kind, q.last_error, q.attempts, q.quarantined_at, q.payload FROM quarantine q
WHERE q.workspace_id = :workspace AND q.queue = :queue"""
    _REPLAY = """WITH gone AS (
    DELETE FROM quarantine WHERE workspace_id = :workspace AND queue = :queue AND id = ANY(:ids) RETURNING *),
back AS (
    INSERT INTO inbox (id, workspace_id, shard, lane, kind, key, payload, traceparent)
    SELECT id, workspace_id, shard, lane, kind, key, payload, traceparent FROM gone ORDER BY id)
SELECT id, shard FROM gone"""
    _DROP = """DELETE FROM quarantine WHERE workspace_id = :workspace AND queue = :queue AND id = ANY(:ids)
RETURNING id, shard"""

    async def replay(self, connection: AsyncConnection, ids: Sequence[UUID], traceparent: str) -> list[Moved]:
        """Back to the inbox; each stays in the trace in which it was accepted."""
        return await self._move(connection, self._REPLAY, ids)


class DeliveryQuarantine(Quarantine):
    """Deliveries. They never leave the ledger: one that is dropped has failed, and its attempts stay on record."""

    _SELECT = """SELECT d.id, c.kind, coalesce(d.last_error, ''), d.attempts, d.finished_at, n.data FROM deliveries d
JOIN channels c ON c.workspace_id = d.workspace_id AND c.id = d.channel_id
JOIN notifications n ON n.workspace_id = d.workspace_id AND n.id = d.notification_id
WHERE d.workspace_id = :workspace AND d.status = 'quarantined'"""
    _REPLAY = """UPDATE deliveries SET status = 'pending', attempts = 0, expiries = 0, due_at = clock_timestamp(),
    next_attempt_at = NULL, lease_token = NULL, lease_until = NULL, delayed_reason = NULL, last_error = NULL,
    finished_at = NULL, traceparent = :traceparent
WHERE workspace_id = :workspace AND status = 'quarantined' AND id = ANY(:ids) RETURNING id"""
    _DROP = """UPDATE deliveries SET status = 'failed'
WHERE workspace_id = :workspace AND status = 'quarantined' AND id = ANY(:ids) RETURNING id"""

    async def replay(self, connection: AsyncConnection, ids: Sequence[UUID], traceparent: str) -> list[Moved]:
        """Due again under their old ids, in a trace of their own."""
        return await self._move(connection, self._REPLAY, ids, traceparent=traceparent)


class JobQuarantine(Quarantine):
    """Runs of jobs, which belong to the installation. One that is dropped has failed."""

    _SELECT = """SELECT j.id, j.job, coalesce(j.last_error, ''), j.attempts, j.finished_at,
    convert_to(jsonb_build_object('job', j.job, 'slot', j.slot)::text, 'UTF8') FROM job_runs j
WHERE j.queue = :queue AND j.status = 'quarantined'"""
    _REPLAY = """UPDATE job_runs SET status = 'pending', attempts = 0, due_at = clock_timestamp(), lease_token = NULL,
    lease_until = NULL, last_error = NULL, finished_at = NULL, traceparent = :traceparent, kubernetes_job = NULL,
    no_kubernetes_job = NULL, replays = replays + 1
WHERE queue = :queue AND status = 'quarantined' AND id = ANY(:ids) RETURNING id"""
    _DROP = """UPDATE job_runs SET status = 'failed'
WHERE queue = :queue AND status = 'quarantined' AND id = ANY(:ids) RETURNING id"""

    async def replay(self, connection: AsyncConnection, ids: Sequence[UUID], traceparent: str) -> list[Moved]:
        """Due again. Conflict where a person has asked for another run of such a job meanwhile."""
        try:
            async with connection.begin_nested():
                return await self._move(connection, self._REPLAY, ids, traceparent=traceparent)
        except IntegrityError:
            raise Conflict("a run of the same job was asked for meanwhile", cure="wait for it to end") from None
