"""Job cleanup: removes job runs and counters that nobody needs any more."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Any, Final, LiteralString

from convex_common.postgres.database import Database
from convex_common.postgres.job_runner import Lease

NAME: Final = "job-cleanup"

KEEP_COMPLETED: Final = dt.timedelta(hours=1)
KEEP_FAILED: Final = dt.timedelta(hours=24)
KEEP_COUNTERS: Final = dt.timedelta(hours=2)
"""Twice the longest window over which anybody sums them by the minute; older ones become part of the totals."""

_BATCH: Final = 1000

# The newest slot of a job's timetable stays, whatever became of it: it is how one knows that the slot was run. What is
# quarantined waits for a person. How many runs there were, and the last of them, is on record in job_totals.
ENDED: Final = """DELETE FROM job_runs WHERE id IN (
    SELECT j.id FROM job_runs j
    WHERE j.status = ANY(%(statuses)s) AND j.finished_at < clock_timestamp() - %(keep)s
      AND (j.requested_by IS NOT NULL
           OR EXISTS (SELECT FROM job_runs l WHERE l.job = j.job AND l.slot > j.slot AND l.requested_by IS NULL))
    LIMIT %(batch)s FOR UPDATE SKIP LOCKED)"""

COUNTERS: Final = """WITH old AS (
    SELECT workspace_id, queue, minute, slot FROM queue_counters WHERE minute < clock_timestamp() - %(keep)s
    LIMIT %(batch)s FOR UPDATE SKIP LOCKED),
gone AS (
    DELETE FROM queue_counters c USING old o
    WHERE (c.workspace_id, c.queue, c.minute, c.slot) = (o.workspace_id, o.queue, o.minute, o.slot) RETURNING c.*),
added AS (
    INSERT INTO queue_totals AS t (workspace_id, queue, completed, failed, errors)
    SELECT workspace_id, queue, sum(completed), sum(failed), sum(errors) FROM gone GROUP BY workspace_id, queue
    ON CONFLICT (workspace_id, queue) DO UPDATE SET completed = t.completed + excluded.completed,
        failed = t.failed + excluded.failed, errors = t.errors + excluded.errors)
SELECT FROM gone"""


class JobCleanup:
    """A job. Deletes in batches of one transaction each, so that nobody waits for it."""

    def __init__(self, database: Database, *, enabled: bool, batch: int = _BATCH) -> None:
        self._database = database
        self._enabled = enabled
        self._batch = batch

    def __call__(self, lease: Lease) -> Mapping[str, Any]:
        """How many rows went, by kind; nothing goes with QUEUE_CLEANUP=false."""
        if not self._enabled:
            return {"skipped": "QUEUE_CLEANUP is false"}
        return {
            "completed_runs": self._delete(ENDED, KEEP_COMPLETED, lease, statuses=["completed", "skipped"]),
            "failed_runs": self._delete(ENDED, KEEP_FAILED, lease, statuses=["failed"]),
            "counters": sum(
                self._delete(COUNTERS, KEEP_COUNTERS, lease, workspace_id) for workspace_id in self._workspaces()
            ),
        }

    def _workspaces(self) -> list[uuid.UUID]:
        with self._database.transaction() as connection:
            return [row[0] for row in connection.execute("SELECT workspace_ids()")]

    def _delete(
        self,
        statement: LiteralString,
        keep: dt.timedelta,
        lease: Lease,
        workspace_id: uuid.UUID | None = None,
        **more: object,
    ) -> int:
        deleted = 0
        while True:
            with self._database.transaction(workspace_id) as connection:
                gone = connection.execute(statement, {"keep": keep, "batch": self._batch, **more}).rowcount
                lease.hold(connection)
            deleted += gone
            if gone < self._batch:
                return deleted
