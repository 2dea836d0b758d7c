"""Figures of the whole installation, read from the database for Prometheus; exported by the scheduler alone."""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from convex_common.contracts import EVENTS_ACCEPTED, QUEUES
from convex_common.domain.health import Vitals, assess
from convex_common.errors import StoreUnavailable
from convex_common.job_standing import sight_now
from convex_common.job_status import OUTCOMES, JobStatus, statuses
from convex_common.metrics import Metrics
from convex_common.postgres import job_figures, job_standings
from convex_common.postgres.database import Connection, Database
from convex_common.postgres.history import History, read_now
from convex_common.redis.measures import Measured
from convex_common.timetable import LOCAL_QUEUE, Timetable
from convex_common.vitals import vitals_of
from convex_scheduler import database_watch
from convex_scheduler.rounds import rounds

Clock = Callable[[], dt.datetime]

QUARANTINED: Final = """SELECT queue, count(*) FROM job_runs WHERE status = 'quarantined' GROUP BY queue"""


class Readings:
    """Reads everything every few seconds on a thread of its own."""

    def __init__(
        self,
        database: Database,
        measured: Callable[[uuid.UUID | None], Measured],
        metrics: Metrics,
        timetable: Timetable,
        clock: Clock,
        *,
        every: float = 5.0,
    ) -> None:
        self._database = database
        self._measured = measured
        self._metrics = metrics
        self._timetable = timetable
        self._clock = clock
        self._every = every
        self._counted: dict[tuple[str, str], int] = {}
        self._snapshots = database_watch.SnapshotWatch()
        self._since = clock()
        self._resumed: dict[str, dt.datetime] = {}

    def run(self, stopping: threading.Event) -> None:
        """Until stopping. What cannot be read keeps its last value."""
        rounds(self.read, stopping, self._every, waits="metrics wait")

    def read(self) -> None:
        """One reading of everything. Without PostgreSQL the score is 0, and StoreUnavailable is raised."""
        try:
            with self._database.transaction() as connection:
                history = read_now(connection, None)
                quarantined = {str(queue): int(runs) for queue, runs in connection.execute(QUARANTINED)}
                figures = job_figures.read(connection)
                standings = job_standings.read(connection)
                self._condition(connection)
        except StoreUnavailable:
            self._metrics.system_health_score.set(assess(Vitals(postgres=False)).score)
            raise
        self._queues(history, quarantined)
        self._metrics.system_health_score.set(assess(vitals_of(history, self._lately())).score)
        now = self._clock()
        for status in statuses(self._timetable, figures, standings, now):
            self._job(status)
            self._overdue(status, now)
        self._metrics.installation_read_timestamp_seconds.set(time.time())

    def jobs(self) -> dict[str, Any]:
        """How every job stands now, as the API tells it. StoreUnavailable."""
        with self._database.transaction() as connection:
            figures = job_figures.read(connection)
            standings = job_standings.read(connection)
            sight = job_standings.read_sight(connection)
        now = self._clock()
        shown = statuses(self._timetable, figures, standings, now)
        return {
            "items": [status.as_answer(now, with_error=True) for status in shown],
            "kubernetes": sight and sight_now(sight, now).as_answer(with_error=True),
        }

    def _lately(self) -> Measured | None:
        try:
            return self._measured(None)
        except StoreUnavailable:
            return None

    def _condition(self, connection: Connection) -> None:
        metrics, waited = self._metrics, database_watch.oldest_due(connection)
        for queue in (*QUEUES, LOCAL_QUEUE, "timer"):
            metrics.oldest_due_seconds.labels(queue).set(waited.get(queue, 0.0))
        held = self._snapshots.seconds(database_watch.horizon(connection), time.monotonic())
        metrics.database_snapshot_held_seconds.set(held)
        asked = time.time()
        told = database_watch.clock(connection).timestamp()
        metrics.database_clock_offset_seconds.set((asked + time.time()) / 2 - told)
        for table, end in database_watch.partition_ends(connection).items():
            metrics.partition_end_timestamp_seconds.labels(table).set(end.timestamp())

    def _queues(self, history: History, quarantined: Mapping[str, int]) -> None:
        for queue in (*QUEUES, LOCAL_QUEUE):
            states = history.states(queue)
            for state, jobs in states.items():
                self._metrics.queue_job_count.labels(queue, state).set(jobs)
            # Events and deliveries fail for good only into the quarantine; a job may also be refused.
            in_quarantine = states["failed"] if queue in ("alert", "notification") else quarantined.get(queue, 0)
            self._metrics.quarantined.labels(queue).set(in_quarantine)
        backlog = history.states(EVENTS_ACCEPTED.queue)
        self._metrics.inbox_backlog.set(sum(backlog[state] for state in ("active", "waiting", "delayed")))

    def _job(self, status: JobStatus) -> None:
        """Every job has its schedule, its next run and its counts from the start; the rest once it has run."""
        metrics, name, figures = self._metrics, status.name, status.figures
        metrics.scheduled_job_info.labels(name, status.schedule, status.priority).set(1)
        metrics.scheduled_job_next_run_timestamp_seconds.labels(name).set(status.next_run.timestamp())
        metrics.scheduled_job_running.labels(name).set(figures.running)
        metrics.scheduled_job_suspended.labels(name).set(status.standing.suspension is not None)
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

    def _overdue(self, status: JobStatus, now: dt.datetime) -> None:
        """What was resumed by kubectl has missed nothing of the time before either; nobody put that on record."""
        if status.standing.suspension is not None:
            self._resumed[status.name] = now
        overdue = status.overdue(now, since=self._since)
        if resumed := self._resumed.get(status.name):
            first = status.standing.next_due(status.job, resumed)
            overdue = min(overdue, max(now - first, dt.timedelta()))
        self._metrics.scheduled_job_overdue_seconds.labels(status.name).set(overdue.total_seconds())

    def _count(self, name: str, outcome: str, total: int) -> None:
        """The counter is the total on record, whichever process exports it; a restored database starts it anew."""
        counter = self._metrics.scheduled_job_runs.labels(name, outcome)
        counted = self._counted.get((name, outcome), 0)
        if total < counted:
            counter.reset()
            counted = 0
        counter.inc(total - counted)
        self._counted[name, outcome] = total
