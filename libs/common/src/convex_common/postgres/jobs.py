"""Jobs as people see and ask for them; what runs them is in `job_runs`."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.job_status import Figures
from convex_common.postgres.job_figures import FIGURES, by_job

LAST_RUNS: Final = 20
"""How many runs of a job are shown; removed ones are only counted."""

RUNS: Final = text("""SELECT id, slot, status, attempts, last_error, detail, requested_by, started_at, finished_at,
    CASE WHEN status IN ('pending', 'running') THEN due_at END AS due_at, kubernetes_job, no_kubernetes_job
FROM job_runs WHERE job = :job ORDER BY created_at DESC, id DESC LIMIT :most""")

# By the database's clock, and never a slot of a timetable: those are whole minutes.
REQUEST: Final = text("""INSERT INTO job_runs (id, job, slot, queue, traceparent, requested_by)
SELECT :id, :job, CASE WHEN at = date_trunc('second', at) THEN at + interval '1 microsecond' ELSE at END, :queue,
    :traceparent, :requested_by
FROM clock_timestamp() AS now(at)
WHERE NOT EXISTS (SELECT FROM job_runs r WHERE r.job = :job AND r.status IN ('pending', 'running'))
ON CONFLICT DO NOTHING RETURNING slot""")


@dataclass(frozen=True, slots=True)
class JobRun:
    """One run. `due_at` is when an unfinished one may be begun, or taken over from a worker that died."""

    id: uuid.UUID
    slot: dt.datetime
    status: str
    attempts: int
    last_error: str | None
    detail: Mapping[str, Any] | None
    requested_by: str | None
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    due_at: dt.datetime | None
    kubernetes_job: str | None
    no_kubernetes_job: str | None

    def without_insides(self) -> JobRun:
        """Without what may tell of other workspaces, or of the cluster."""
        return replace(self, last_error=None, detail=None, no_kubernetes_job=None)


async def figures(connection: AsyncConnection) -> dict[str, Figures]:
    """What is on record of every job's runs, by job."""
    return by_job((await connection.execute(text(FIGURES))).all())


async def last_runs(connection: AsyncConnection, job: str) -> list[JobRun]:
    """The newest runs of a job that are still kept, the newest first."""
    return [JobRun(*row) for row in await connection.execute(RUNS, {"job": job, "most": LAST_RUNS})]


async def request_now(
    connection: AsyncConnection, new_id: uuid.UUID, job: str, queue: str, *, requested_by: str, traceparent: str
) -> dt.datetime | None:
    """Ask for a run beside the timetable; its slot, or None while a run of the job is waiting or under way."""
    asked = await connection.execute(
        REQUEST,
        {"id": new_id, "job": job, "queue": queue, "requested_by": requested_by, "traceparent": traceparent},
    )
    slot: dt.datetime | None = asked.scalar()
    return slot
