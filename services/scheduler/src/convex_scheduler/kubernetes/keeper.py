"""Keeps the cluster and PostgreSQL of one mind: what people ordered is done there, and what is there is told here.

Everything that it has to do is on record before, and it remembers nothing that matters: it may be killed between any
two steps, and two of them do no harm.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from convex_common.job_standing import CronJobSeen, Standing, Wish
from convex_common.metrics import Metrics
from convex_common.postgres import job_placements, job_standings
from convex_common.postgres.database import Database
from convex_common.postgres.job_placements import Placed, Waiting
from convex_common.timetable import LOCAL_QUEUE, Timetable
from convex_scheduler.kubernetes.errors import AlreadyThere, ClusterAway, ClusterError, ClusterRefused
from convex_scheduler.kubernetes.line import Line
from convex_scheduler.kubernetes.objects import CronJob, Job, JobState, job_for, job_name
from convex_scheduler.rounds import rounds

log = logging.getLogger(__name__)

SHOWN_JOBS: Final = 5
"""How many Jobs of a CronJob are told of."""

NO_ANSWER: Final = (0, 401)
NO_CRON_JOB: Final = "there is no CronJob of this job"

PATIENCE: Final = 10.0
"""Seconds that a run waits for its Job to be made, before the scheduler does it itself."""


class Kubernetes(Protocol):
    """What is needed of a cluster."""

    @property
    def namespace(self) -> str: ...
    def cron_jobs(self) -> list[CronJob]: ...
    def jobs(self) -> list[Job]: ...
    def cron_job(self, name: str) -> CronJob: ...
    def job(self, name: str) -> Job | None: ...
    def create(self, manifest: dict[str, Any]) -> Job: ...
    def suspend(self, name: str, suspended: bool) -> CronJob: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What is on record at the beginning of a step."""

    standings: Mapping[str, Standing]
    waiting: Sequence[Waiting]
    placed: Sequence[Placed]


class Keeper:
    """Each second: carries out orders, makes Jobs for runs that people asked for. Every few seconds: looks around.

    `able` are the jobs that the scheduler can do itself where no Job can be made.
    """

    def __init__(
        self,
        database: Database,
        cluster: Kubernetes,
        timetable: Timetable,
        able: Collection[str],
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
        every: float = 1.0,
        look_every: float = 10.0,
        patience: float = PATIENCE,
    ) -> None:
        self._database = database
        self._cluster = cluster
        self._known = {job.name for job in timetable}
        self._able = able
        self._metrics = metrics
        self._clock = clock
        self._every = every
        self._look_every = look_every
        self._patience = patience
        self._line = Line()
        self._next_look = float("-inf")
        self._error: str | None = None
        self._refusals: set[str] = set()
        self._reasons: dict[uuid.UUID, str] = {}

    def run(self, stopping: threading.Event) -> None:
        """Until stopping."""
        rounds(self.step, stopping, self._every, waits="the cluster waits")
        self._cluster.close()

    def step(self) -> None:
        """One round. A cluster that is away is no failure of it: that is told, and waited for. StoreUnavailable."""
        asked = self._read()
        waiting = asked.waiting
        if self._line.is_open(self._clock()):
            try:
                waiting = self._work(asked)
            except ClusterAway as error:
                self._line.failed(error, self._clock())
                self._next_look = float("-inf")
                self._tell(str(error))
        self._leave(waiting)

    def _read(self) -> Asked:
        with self._database.transaction() as connection:
            return Asked(
                job_standings.read(connection),
                job_placements.waiting(connection, LOCAL_QUEUE),
                job_placements.placed(connection),
            )

    def _work(self, asked: Asked) -> Sequence[Waiting]:
        """What still waits afterwards."""
        if self._clock() >= self._next_look:
            self._look(asked)
            asked = self._read()
        for job, standing in asked.standings.items():
            wished = standing.wish is not None and job not in self._refusals
            if wished and standing.cron_job is not None and self._line.is_open(self._clock()):
                self._obey(job, standing, standing.cron_job)
        left = []
        for run in asked.waiting:
            cron_job = asked.standings.get(run.job, Standing()).cron_job
            if not (self._line.is_open(self._clock()) and self._place(run, cron_job)):
                left.append(run)
        return left

    def _look(self, asked: Asked) -> None:
        """Tell what is there. What was refused is tried again from here on."""
        self._refusals.clear()
        try:
            cron_jobs, jobs = self._cluster.cron_jobs(), self._cluster.jobs()
        except ClusterRefused as refusal:
            self._next_look = self._clock() + self._look_every
            self._tell(str(refusal))
            return
        self._next_look = self._clock() + self._look_every
        ours = {found.job: found for found in sorted(cron_jobs, key=lambda found: found.name, reverse=True)}
        seen = {
            name: _seen(found, jobs, asked.standings.get(name, Standing()).cron_job)
            for name, found in ours.items()
            if name in self._known
        }
        with self._database.transaction() as connection:
            job_standings.seen(connection, seen)
            for job, standing in asked.standings.items():
                now = Standing(standing.order, seen.get(job))
                if now.order is not None and not now.order.done and _agree(now):
                    job_standings.carried_out(connection, job, now.order)
        self._line.answered()
        self._tell(None)
        for run in asked.placed:
            self._follow(run, {found.name: found for found in jobs})

    def _tell(self, error: str | None) -> None:
        """Whether the cluster can be seen; news of it is a line in the log."""
        if error is not None and self._error is None:
            log.warning("the cluster cannot be asked: %s", error)
        elif error is None and self._error is not None:
            log.info("the cluster answers again")
        self._error = error
        self._metrics.kubernetes_reachable.set(error is None)
        with self._database.transaction() as connection:
            job_standings.looked(connection, self._cluster.namespace, error)

    def _obey(self, job: str, standing: Standing, cron_job: CronJobSeen) -> None:
        suspended = standing.wish is Wish.SUSPEND
        try:
            now = self._cluster.suspend(cron_job.name, suspended)
        except ClusterError as refusal:
            self._refused(refusal)
            self._refusals.add(job)
            if cron_job.error != str(refusal):
                log.warning("an order about %s cannot be carried out: %s", job, refusal)
            with self._database.transaction() as connection:
                job_standings.refused(connection, job, str(refusal))
            return
        log.info("job suspended" if suspended else "job resumed", extra={"job": job, "cron_job": cron_job.name})
        with self._database.transaction() as connection:
            job_standings.told(connection, job, suspended=now.suspended)
            if standing.order is not None and now.suspended == standing.order.suspended:
                job_standings.carried_out(connection, job, standing.order)

    def _place(self, run: Waiting, cron_job: CronJobSeen | None) -> bool:
        """Whether the run has its Job now. However often one is made, it is one: its name is made of the run's id."""
        if cron_job is None:
            self._reasons[run.id] = self._error or NO_CRON_JOB
            return False
        try:
            name = self._made(run, cron_job.name)
        except ClusterError as refusal:
            self._refused(refusal)
            self._reasons[run.id] = str(refusal)
            return False
        with self._database.transaction() as connection:
            job_placements.place(connection, run.id, name)
        log.info("a Job does the run", extra={"job": run.job, "run_id": str(run.id), "kubernetes_job": name})
        return True

    def _made(self, run: Waiting, cron_job: str) -> str:
        manifest = job_for(self._cluster.cron_job(cron_job), run.id, run.replays)
        name = job_name(cron_job, run.id, run.replays)
        try:
            self._cluster.create(manifest)
        except AlreadyThere:
            found = self._cluster.job(name)
            if found is None or found.run_id != run.id:
                raise ClusterRefused(f"the Job {name} is another's") from None
        return name

    def _refused(self, refusal: ClusterError) -> None:
        """One request failed. Only where there was no answer at all the cluster is away; else it may want a pause."""
        if isinstance(refusal, ClusterAway):
            if refusal.status in NO_ANSWER:
                raise refusal
            self._line.failed(refusal, self._clock())

    def _leave(self, waiting: Sequence[Waiting]) -> None:
        """What has waited long enough for its Job is the scheduler's own; what only a Job can do waits on, and why."""
        self._reasons = {run.id: self._reasons[run.id] for run in waiting if run.id in self._reasons}
        for run in waiting:
            why = self._reasons.get(run.id, self._error)
            if why is None or run.age.total_seconds() < self._patience:
                continue
            if run.job in self._able:
                log.warning("no Job could be made: %s; the scheduler does the run itself", why, extra={"job": run.job})
                with self._database.transaction() as connection:
                    job_placements.leave_to_scheduler(connection, run.id, why)
            elif why == NO_CRON_JOB:
                log.error("job failed: %s, and the scheduler has no DATABASE_OWNER_URL", why, extra={"job": run.job})
                with self._database.transaction() as connection:
                    job_placements.give_up(connection, run.id, f"{why}, and the scheduler has no DATABASE_OWNER_URL")
            else:
                with self._database.transaction() as connection:
                    job_placements.tell(connection, run.id, why)

    def _follow(self, run: Placed, jobs: Mapping[str, Job]) -> None:
        """A run whose Job is over, or gone, without having finished it has failed: nobody would ever do it."""
        try:
            found = jobs.get(run.kubernetes_job) or self._cluster.job(run.kubernetes_job)
        except ClusterError:
            return  # known at the next look
        if found is not None and found.state is JobState.ACTIVE:
            return
        if found is None:
            why = f"its Job {run.kubernetes_job} was deleted before it had finished"
        else:
            why = (
                f"its Job {run.kubernetes_job} {found.state} without finishing it: {found.reason or 'no reason given'}"
            )
        with self._database.transaction() as connection:
            if job_placements.give_up(connection, run.id, why, kubernetes_job=run.kubernetes_job):
                log.error("job failed: %s", why, extra={"job": run.job, "run_id": str(run.id)})


def _agree(standing: Standing) -> bool:
    """Whether there is nothing left to do about an order."""
    cron_job, order = standing.cron_job, standing.order
    return cron_job is None or order is None or cron_job.suspended == order.suspended


def _seen(found: CronJob, jobs: Sequence[Job], before: CronJobSeen | None) -> CronJobSeen:
    own = sorted((job for job in jobs if job.job == found.job), key=lambda job: job.created_at, reverse=True)
    return CronJobSeen(
        name=found.name,
        schedule=found.schedule,
        time_zone=found.time_zone,
        suspended=found.suspended,
        by_values=found.by_values,
        active=sum(job.state is JobState.ACTIVE for job in own),
        last_schedule=found.last_schedule,
        last_success=found.last_success,
        newest_jobs=[_told(job) for job in own[:SHOWN_JOBS]],
        error=before.error if before is not None and before.suspended == found.suspended else None,
    )


def _told(job: Job) -> dict[str, Any]:
    return {
        "name": job.name,
        "status": job.state.value,
        "started_at": None if job.started_at is None else job.started_at.isoformat(),
        "finished_at": None if job.finished_at is None else job.finished_at.isoformat(),
        "run_id": None if job.run_id is None else str(job.run_id),
    }
