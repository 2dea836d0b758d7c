"""Figures of the whole installation, read from the database for Prometheus; exported by the scheduler alone."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable
from typing import Final

from convex_common.contracts import QUEUES
from convex_common.errors import StoreUnavailable
from convex_common.job_status import OUTCOMES, JobStatus, statuses
from convex_common.metrics import Metrics
from convex_common.postgres import job_figures
from convex_common.postgres.database import Connection, Database
from convex_common.timetable import LOCAL_QUEUE, Timetable

log = logging.getLogger(__name__)

Clock = Callable[[], dt.datetime]

STATES: Final = ("active", "waiting", "delayed", "completed", "failed")

QUARANTINED: Final = """SELECT queue, count(*) FROM job_runs WHERE status = 'quarantined' GROUP BY queue"""


class Readings:
    """Reads everything every few seconds on a thread of its own."""

    def __init__(
        self, database: Database, metrics: Metrics, timetable: Timetable, clock: Clock, *, every: float = 5.0
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._timetable = timetable
        self._clock = clock
        self._every = every
        self._counted: dict[tuple[str, str], int] = {}

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
        """One reading of everything."""
        with self._database.transaction() as connection:
            self._queues(connection)
            figures = job_figures.read(connection)
        for status in statuses(self._timetable, figures, self._clock()):
            self._job(status)

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

    def _job(self, status: JobStatus) -> None:
        """Every job has its schedule, its next run and its counts from the start; the rest once it has run."""
        metrics, name, figures = self._metrics, status.name, status.figures
        metrics.scheduled_job_info.labels(name, status.schedule, status.priority).set(1)
        metrics.scheduled_job_next_run_timestamp_seconds.labels(name).set(status.next_run.timestamp())
        metrics.scheduled_job_running.labels(name).set(figures.running)
        for outcome in OUTCOMES:
            self._count(name, outcome, figures.of(outcome))
            if figures.last_status is not None:
                metrics.scheduled_job_last_status.labels(name, outcome).set(figures.last_status == outcome)
        if figures.last_run is not None:
            metrics.scheduled_job_last_run_timestamp_seconds.labels(name).set(figures.last_run.timestamp())
        if figures.last_seconds is not None:
            metrics.scheduled_job_duration_seconds.labels(name).set(figures.last_seconds)
        if figures.last_success is not None:
            metrics.scheduled_job_last_success_timestamp_seconds.labels(name).set(figures.last_success.timestamp())

    def _count(self, name: str, outcome: str, total: int) -> None:
        """The counter is the total on record, whichever process exports it; a restored database starts it anew."""
        counter = self._metrics.scheduled_job_runs.labels(name, outcome)
        counted = self._counted.get((name, outcome), 0)
        if total < counted:
            counter.reset()
            counted = 0
        counter.inc(total - counted)
        self._counted[name, outcome] = total
