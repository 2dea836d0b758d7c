"""Which Job of a cluster does a run, of those that people asked for: on record, so that nothing is done by two."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Final

from convex_common.postgres.database import Connection

_UNFINISHED: Final = "status IN ('pending', 'running')"
_UNPLACED: Final = f"{_UNFINISHED} AND kubernetes_job IS NULL AND no_kubernetes_job IS NULL"

WAITING: Final = f"""SELECT id, job, replays, clock_timestamp() - greatest(created_at, due_at) FROM job_runs
WHERE queue = %s AND {_UNPLACED} AND (requested_by IS NOT NULL OR replays > 0) ORDER BY due_at"""
PLACED: Final = f"SELECT id, job, kubernetes_job FROM job_runs WHERE {_UNFINISHED} AND kubernetes_job IS NOT NULL"
PLACE: Final = """UPDATE job_runs SET kubernetes_job = %(name)s,
    last_error = CASE attempts WHEN 0 THEN NULL ELSE last_error END
WHERE id = %(id)s AND kubernetes_job IS NULL AND no_kubernetes_job IS NULL"""
LEAVE: Final = f"UPDATE job_runs SET no_kubernetes_job = %(why)s WHERE id = %(id)s AND {_UNPLACED}"
TELL: Final = f"""UPDATE job_runs SET last_error = %(why)s
WHERE id = %(id)s AND {_UNPLACED} AND last_error IS DISTINCT FROM %(why)s"""
GIVE_UP: Final = f"""UPDATE job_runs SET status = 'failed', attempts = attempts + 1, last_error = %(why)s,
    lease_token = NULL, lease_until = NULL, finished_at = clock_timestamp()
WHERE id = %(id)s AND {_UNFINISHED} AND kubernetes_job IS NOT DISTINCT FROM %(name)s
  AND (lease_until IS NULL OR lease_until <= clock_timestamp())"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run that somebody asked for `age` ago, and that nobody does yet."""

    id: uuid.UUID
    job: str
    replays: int
    age: dt.timedelta


@dataclass(frozen=True, slots=True)
class Placed:
    """A run that a Job has to do and has not finished."""

    id: uuid.UUID
    job: str
    kubernetes_job: str


def waiting(connection: Connection, queue: str) -> list[Waiting]:
    """The runs of a queue for which there is no Job yet; those of the timetable have their CronJobs'."""
    return [Waiting(*row) for row in connection.execute(WAITING, (queue,))]


def placed(connection: Connection) -> list[Placed]:
    """The unfinished runs that have a Job."""
    return [Placed(*row) for row in connection.execute(PLACED)]


def place(connection: Connection, run_id: uuid.UUID, kubernetes_job: str) -> None:
    """This Job does it."""
    connection.execute(PLACE, {"id": run_id, "name": kubernetes_job})


def leave_to_scheduler(connection: Connection, run_id: uuid.UUID, why: str) -> None:
    """No Job can be made for it: the scheduler does it itself."""
    connection.execute(LEAVE, {"id": run_id, "why": why})


def tell(connection: Connection, run_id: uuid.UUID, why: str) -> None:
    """Why it still waits."""
    connection.execute(TELL, {"id": run_id, "why": why})


def give_up(connection: Connection, run_id: uuid.UUID, why: str, *, kubernetes_job: str | None = None) -> bool:
    """Nobody will do it: failed; whether it was. A run that its worker still holds is left alone."""
    changed = connection.execute(GIVE_UP, {"id": run_id, "name": kubernetes_job, "why": why})
    return changed.rowcount == 1
