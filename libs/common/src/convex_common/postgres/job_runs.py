"""Job runs: a slot of a job runs once, whoever asks for it and however often.

A run is claimed under a lease by the database's clock. Work is done in slices of one transaction each, which end with
`hold`: a worker whose lease was taken over rolls back and leaves the run to the other.
"""

from __future__ import annotations

import datetime as dt
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, LiteralString

from psycopg.types.json import Jsonb

from convex_common.errors import LeaseLost, NotFound, StoreUnavailable
from convex_common.postgres.database import Connection, Database

MAX_ATTEMPTS: Final[Mapping[str, int]] = {"analytics": 3, "prediction": 2}
"""Failures after which a run is quarantined, by queue; 3 where a queue is not named."""

_LOOK_EVERY: Final = 0.2
_EXPIRED: Final = "the worker stopped during the run"
_ERROR_LENGTH: Final = 2000


class RunStatus(StrEnum):
    """pending → running → completed, skipped (there was nothing to do here), failed (it can never succeed) or
    quarantined (it failed too often)."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    SKIPPED = "skipped"
    FAILED = "failed"
    QUARANTINED = "quarantined"

    @property
    def is_final(self) -> bool:
        """Whether nobody works on it any more."""
        return self not in (RunStatus.PENDING, RunStatus.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A slot of a job as it stands. `detail` is what the run gave back."""

    id: uuid.UUID
    job: str
    slot: dt.datetime
    queue: str
    status: RunStatus
    attempts: int
    last_error: str | None
    detail: Mapping[str, Any]
    finished_at: dt.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A run that this worker holds, as long as the row carries its token; `waited` seconds after it was due."""

    id: uuid.UUID
    job: str
    slot: dt.datetime
    queue: str
    attempts: int
    token: int
    traceparent: str | None
    waited: float


_RUN: Final = "SELECT id, job, slot, queue, status, attempts, last_error, detail, finished_at FROM job_runs"
FIND: Final = f"{_RUN} WHERE job = %s AND slot = %s"
FIND_BY_ID: Final = f"{_RUN} WHERE id = %s"

REQUEST: Final = """INSERT INTO job_runs (id, job, slot, queue, traceparent)
VALUES (%(id)s, %(job)s, %(slot)s, %(queue)s, %(traceparent)s) ON CONFLICT (job, slot) DO NOTHING"""

QUARANTINE: Final = """UPDATE job_runs SET status = 'quarantined', attempts = attempts + 1, last_error = %(expired)s,
    lease_token = NULL, lease_until = NULL, finished_at = clock_timestamp()
WHERE id IN (
    SELECT id FROM job_runs
    WHERE queue = %(queue)s AND status = 'running' AND due_at <= clock_timestamp() AND attempts + 1 >= %(max_attempts)s
    FOR UPDATE SKIP LOCKED)"""

CLAIM: Final = """WITH due AS MATERIALIZED (
    SELECT id, due_at FROM job_runs
    WHERE queue = %(queue)s AND status IN ('pending', 'running') AND due_at <= clock_timestamp()
      AND (%(only)s::uuid IS NULL OR id = %(only)s) AND (%(jobs)s::text[] IS NULL OR job = ANY(%(jobs)s))
      AND (%(beside)s::interval IS NULL OR no_kubernetes_job IS NOT NULL
           OR (kubernetes_job IS NULL AND requested_by IS NULL AND replays = 0
               AND due_at <= clock_timestamp() - %(beside)s))
    ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
UPDATE job_runs j SET status = 'running', claims = claims + 1,
    attempts = attempts + (status = 'running')::int,
    last_error = CASE status WHEN 'running' THEN %(expired)s ELSE last_error END,
    lease_token = %(token)s, lease_until = clock_timestamp() + %(lease)s, due_at = clock_timestamp() + %(lease)s,
    started_at = clock_timestamp()
FROM due WHERE j.id = due.id
RETURNING j.id, job, slot, queue, attempts, lease_token, traceparent,
    extract(epoch FROM j.started_at - due.due_at)::float8"""

HOLD: Final = """UPDATE job_runs SET
    lease_until = clock_timestamp() + %(lease)s, due_at = clock_timestamp() + %(lease)s,
    detail = coalesce(%(detail)s, detail)
WHERE id = %(id)s AND lease_token = %(token)s"""

FINISH: Final = """UPDATE job_runs SET status = %(status)s, detail = %(detail)s, last_error = NULL,
    lease_token = NULL, lease_until = NULL, finished_at = clock_timestamp()
WHERE id = %(id)s AND lease_token = %(token)s"""

REFUSE: Final = """UPDATE job_runs SET status = 'failed', attempts = attempts + 1, last_error = %(error)s,
    lease_token = NULL, lease_until = NULL, finished_at = clock_timestamp()
WHERE id = %(id)s AND lease_token = %(token)s"""

FAIL: Final = """UPDATE job_runs SET attempts = attempts + 1, last_error = %(error)s,
    lease_token = NULL, lease_until = NULL,
    status = CASE WHEN attempts + 1 >= %(max_attempts)s THEN 'quarantined' ELSE 'pending' END,
    finished_at = CASE WHEN attempts + 1 >= %(max_attempts)s THEN clock_timestamp() END,
    due_at = clock_timestamp() + %(retry_in)s
WHERE id = %(id)s AND lease_token = %(token)s"""

RELEASE: Final = """UPDATE job_runs SET status = 'pending', due_at = clock_timestamp(),
    lease_token = NULL, lease_until = NULL
WHERE id = %(id)s AND lease_token = %(token)s"""


def max_attempts(queue: str) -> int:
    """How many failures a run of this queue may have; with the last one it is quarantined."""
    return MAX_ATTEMPTS.get(queue, 3)


def request(
    connection: Connection, new_id: uuid.UUID, job: str, slot: dt.datetime, queue: str, traceparent: str | None = None
) -> bool:
    """Ask for a slot of a job; whether nobody had before. Once this is committed, the run will be done."""
    asked = connection.execute(
        REQUEST, {"id": new_id, "job": job, "slot": slot, "queue": queue, "traceparent": traceparent}
    )
    return asked.rowcount == 1


def find(connection: Connection, job: str, slot: dt.datetime) -> Run | None:
    """The run of a slot, if it was ever asked for."""
    return _run(connection.execute(FIND, (job, slot)).fetchone())


def find_by_id(connection: Connection, run_id: uuid.UUID) -> Run | None:
    """The run of an id; None where it was removed, or never asked for."""
    return _run(connection.execute(FIND_BY_ID, (run_id,)).fetchone())


def _run(row: Sequence[Any] | None) -> Run | None:
    if row is None:
        return None
    return Run(
        id=row[0],
        job=row[1],
        slot=row[2],
        queue=row[3],
        status=RunStatus(row[4]),
        attempts=row[5],
        last_error=row[6],
        detail=row[7],
        finished_at=row[8],
    )


def latest_slot(connection: Connection, job: str) -> dt.datetime | None:
    """The newest slot of a job that was asked for by its timetable: what a person asks for is no slot of it."""
    row = connection.execute(
        "SELECT max(slot) FROM job_runs WHERE job = %s AND requested_by IS NULL", (job,)
    ).fetchone()
    return row[0] if row else None


def claim(
    connection: Connection,
    queue: str,
    lease: dt.timedelta,
    *,
    only: uuid.UUID | None = None,
    jobs: Sequence[str] | None = None,
    beside: dt.timedelta | None = None,
) -> Claim | None:
    """Lease a due run of a queue, of the named jobs alone, or the run `only`; None where there is nothing to do.

    `beside` Jobs of a cluster, which do the runs, only those are leased of which it is known that no Job does them, and
    slots of the timetable that nobody has begun for so long.

    A lease that ran out counts as a failure: the run is claimed again, or quarantined once it has failed too often.
    """
    connection.execute(QUARANTINE, {"queue": queue, "expired": _EXPIRED, "max_attempts": max_attempts(queue)})
    row = connection.execute(
        CLAIM,
        {
            "queue": queue,
            "only": only,
            "jobs": None if jobs is None else list(jobs),
            "beside": beside,
            "lease": lease,
            "token": 1 + secrets.randbits(62),
            "expired": _EXPIRED,
        },
    ).fetchone()
    if row is None:
        return None
    return Claim(
        id=row[0],
        job=row[1],
        slot=row[2],
        queue=row[3],
        attempts=row[4],
        token=row[5],
        traceparent=row[6],
        waited=row[7],
    )


def hold(
    connection: Connection, claimed: Claim, lease: dt.timedelta, progress: Mapping[str, Any] | None = None
) -> None:
    """Renew the lease, as the last statement of a slice's transaction, and put `progress` on record as the detail.

    LeaseLost where another worker has the run.
    """
    _held(connection, HOLD, claimed, lease=lease, detail=None if progress is None else Jsonb(dict(progress)))


def finish(connection: Connection, claimed: Claim, detail: Mapping[str, Any]) -> None:
    """The run is done. LeaseLost where another worker has it."""
    _held(connection, FINISH, claimed, status=RunStatus.COMPLETED, detail=Jsonb(dict(detail)))


def skip(connection: Connection, claimed: Claim, reason: str) -> None:
    """There is nothing to do here: over, and nobody's failure. LeaseLost where another worker has it."""
    _held(connection, FINISH, claimed, status=RunStatus.SKIPPED, detail=Jsonb({"skipped": reason}))


def refuse(connection: Connection, claimed: Claim, error: str) -> None:
    """The run can never succeed: failed, not tried again. LeaseLost where another worker has it."""
    _held(connection, REFUSE, claimed, error=error[:_ERROR_LENGTH])


def fail(connection: Connection, claimed: Claim, error: str, retry_in: dt.timedelta) -> None:
    """It failed; due again after `retry_in`, or quarantined after too many failures. LeaseLost as above."""
    _held(
        connection,
        FAIL,
        claimed,
        error=error[:_ERROR_LENGTH],
        retry_in=retry_in,
        max_attempts=max_attempts(claimed.queue),
    )


def release(connection: Connection, claimed: Claim) -> None:
    """Give the run back untouched, for anybody to claim at once. LeaseLost where another worker has it."""
    _held(connection, RELEASE, claimed)


def _held(connection: Connection, statement: LiteralString, claimed: Claim, **values: object) -> None:
    changed = connection.execute(statement, {"id": claimed.id, "token": claimed.token, **values})
    if changed.rowcount != 1:
        raise LeaseLost(f"{claimed.job} {claimed.slot.isoformat()} is held by another worker")


def wait(
    database: Database,
    job: str,
    slot: dt.datetime,
    within: float,
    *,
    stopping: threading.Event,
    meanwhile: Callable[[Run], object] = lambda run: None,
) -> Run:
    """The run once it is over, or as it stands after `within` seconds or when stopping.

    `meanwhile` is called between looks with the run as it stands. A database that is away is waited for:
    StoreUnavailable only if it was never there. NotFound where nobody has asked for the slot.
    """
    deadline = time.monotonic() + within
    seen: Run | None = None
    while True:
        try:
            with database.transaction() as connection:
                found = find(connection, job, slot)
        except StoreUnavailable:
            if seen is None and time.monotonic() >= deadline:
                raise
        else:
            if found is None:
                raise NotFound(f"{job} {slot.isoformat()} was never asked for")
            seen = found
            if not seen.status.is_final and not stopping.is_set():
                with suppress(StoreUnavailable):
                    meanwhile(seen)
        if seen is not None and (seen.status.is_final or time.monotonic() >= deadline or stopping.is_set()):
            return seen
        stopping.wait(_LOOK_EVERY)
