"""Figures of the whole installation, read from the database for Prometheus; exported by the scheduler alone."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import uuid
from typing import Final

from convex_common.contracts import QUEUES
from convex_common.errors import StoreUnavailable
from convex_common.metrics import Metrics
from convex_common.postgres.database import Connection, Database
from convex_scheduler.timetable import LOCAL_QUEUE, Timetable

log = logging.getLogger(__name__)

STATES: Final = ("active", "waiting", "delayed", "completed", "failed")

LAST_SUCCESS: Final = """SELECT job, extract(epoch FROM max(finished_at))::float8 FROM job_runs
WHERE status = 'completed' GROUP BY job"""

# A run is stamped a moment before it is committed, so each look goes back a minute and counts what it has not seen.
FINISHED: Final = """SELECT id, job, status, finished_at FROM job_runs
WHERE finished_at > greatest(%(since)s, clock_timestamp() - interval '1 minute')"""

QUARANTINED: Final = """SELECT queue, count(*) FROM job_runs WHERE status = 'quarantined' GROUP BY queue"""

_Finished = tuple[uuid.UUID, dt.datetime]


class Readings:
    """Reads everything every few seconds on a thread of its own."""

    def __init__(self, database: Database, metrics: Metrics, timetable: Timetable, *, every: float = 5.0) -> None:
        self._database = database
        self._metrics = metrics
        self._timetable = timetable
        self._every = every
        self._since: dt.datetime | None = None
        self._counted: set[_Finished] = set()

    def run(self, stopping: threading.Event) -> None:
        """Until stopping. What cannot be read keeps its last value."""
        told = False
        while not stopping.is_set():
            try:
                self.read()
                told = False
            except Exception as error:  # the thread must outlive whatever it was; it is told once
                if not told:
                    log.warning("metrics wait: %s", error, exc_info=not isinstance(error, StoreUnavailable))
                told = True
            stopping.wait(self._every)

    def read(self) -> None:
        """One reading of everything. Runs are counted from the first reading on."""
        with self._database.transaction() as connection:
            self._queues(connection)
            self._last_successes(connection)
            self._runs(connection)

    def _queues(self, connection: Connection) -> None:
        counted = connection.execute("SELECT queue, state, sum(jobs)::bigint FROM queue_counts(NULL) GROUP BY 1, 2")
        counts = {(str(queue), str(state)): int(jobs) for queue, state, jobs in counted}
        for queue in (*QUEUES, LOCAL_QUEUE):
            for state in STATES:
                self._metrics.queue_job_count.labels(queue, state).set(counts.get((queue, state), 0))
        self._metrics.inbox_backlog.set(
            sum(counts.get(("alert", state), 0) for state in ("active", "waiting", "delayed"))
        )
        quarantined = {str(queue): int(runs) for queue, runs in connection.execute(QUARANTINED)}
        for queue in (*QUEUES, LOCAL_QUEUE):
            # Events and deliveries fail for good only into the quarantine; a job may also be refused.
            in_quarantine = (
                counts.get((queue, "failed"), 0) if queue in ("alert", "notification") else quarantined.get(queue, 0)
            )
            self._metrics.quarantined.labels(queue).set(in_quarantine)

    def _last_successes(self, connection: Connection) -> None:
        for job, at in connection.execute(LAST_SUCCESS):
            self._metrics.scheduled_job_last_success_timestamp_seconds.labels(job).set(at)

    def _runs(self, connection: Connection) -> None:
        if self._since is None:
            for job in self._timetable:
                for status in ("completed", "failed", "quarantined"):
                    self._metrics.scheduled_job_runs.labels(job.name, status)
            row = connection.execute("SELECT clock_timestamp()").fetchone()
            self._since = row[0] if row else None
            return
        finished: set[_Finished] = set()
        for run_id, job_name, status, at in connection.execute(FINISHED, {"since": self._since}):
            finished.add((run_id, at))
            if (run_id, at) not in self._counted:
                self._metrics.scheduled_job_runs.labels(job_name, status).inc()
        self._counted = finished
