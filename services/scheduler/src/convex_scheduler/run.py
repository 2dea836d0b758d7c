"""`convex-scheduler run`: the latest due slot of one job, once. What a Kubernetes CronJob calls."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from convex_common.errors import NotFound, StoreUnavailable
from convex_common.exits import Exit
from convex_common.postgres import job_runs
from convex_common.postgres.database import Database
from convex_common.postgres.job_runner import JobRunner
from convex_common.postgres.job_runs import Run, RunStatus
from convex_common.timetable import ScheduledJob, rfc3339
from convex_scheduler.asking import Asker, Suspended

_AGAIN = 1.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Result:
    """One line for a person, and the exit code."""

    line: str
    code: Exit


class RunOnce:
    """Asks for a slot and sees it through. A run that somebody else has begun and abandoned is taken over.

    Local jobs are done here. The others are handed over, and with `wait` awaited; what is done already is said to be.
    """

    def __init__(self, database: Database, asker: Asker, runner: JobRunner, stopping: threading.Event) -> None:
        self._database = database
        self._asker = asker
        self._runner = runner
        self._stopping = stopping

    def __call__(
        self, job: ScheduledJob, at: dt.datetime, *, wait: bool, timeout: float, unless_suspended: bool = False
    ) -> Result:
        """Within `timeout` seconds; stores that are away are waited for as long."""
        slot = job.latest_due(at)
        what = f"{job.name} {rfc3339(slot)}"
        deadline = time.monotonic() + timeout
        try:
            new = self._until(deadline, lambda: self._asker.ask(job, slot, unless_suspended=unless_suspended))
            if not (job.is_local or wait):
                return self._handed_over(job, slot, what, new=new)
            run = self._seen_through(job, slot, deadline)
        except Suspended as error:
            return Result(f"{what} not asked for: {error}; --even-suspended runs it", Exit.DONE)
        except StoreUnavailable as error:
            return Result(f"{what} not asked for: {error}", Exit.TRY_AGAIN)
        return told(what, run, new=new)

    def one(self, job: ScheduledJob, run_id: uuid.UUID, *, timeout: float) -> Result:
        """The run of this id, within `timeout` seconds. NotFound where there is none of this job."""
        what = f"{job.name} {run_id}"
        deadline = time.monotonic() + timeout
        try:
            found = self._until(deadline, lambda: self._find(run_id))
            if found is None or found.job != job.name:
                raise NotFound(f"{what}: there is no such run", cure="it may have been finished and removed")
            if found.status.is_final:
                return told(what, found, new=False)
            run = self._seen_through(job, found.slot, deadline)
        except StoreUnavailable as error:
            return Result(f"{what} not done: {error}", Exit.TRY_AGAIN)
        return told(what, run, new=True)

    def _find(self, run_id: uuid.UUID) -> Run | None:
        with self._database.transaction() as connection:
            return job_runs.find_by_id(connection, run_id)

    def _seen_through(self, job: ScheduledJob, slot: dt.datetime, deadline: float) -> Run:
        return job_runs.wait(
            self._database,
            job.name,
            slot,
            deadline - time.monotonic(),
            stopping=self._stopping,
            meanwhile=lambda run: self._runner.run_next(only=run.id) if job.is_local else None,
        )

    def _until(self, deadline: float, ask: Callable[[], T]) -> T:
        while True:
            try:
                return ask()
            except StoreUnavailable:
                if time.monotonic() + _AGAIN >= deadline or self._stopping.wait(_AGAIN):
                    raise

    def _handed_over(self, job: ScheduledJob, slot: dt.datetime, what: str, *, new: bool) -> Result:
        if new:
            return Result(f"{what} handed over to {job.queue}", Exit.DONE)
        with self._database.transaction() as connection:
            run = job_runs.find(connection, job.name, slot)
        if run is None or not run.status.is_final:
            return Result(f"{what} was handed over to {job.queue} before", Exit.DONE)
        return told(what, run, new=False)


def told(what: str, run: Run, *, new: bool) -> Result:
    """How a run ended, in one line."""
    if run.status is RunStatus.COMPLETED:
        before = "" if new else " before"
        return Result(f"{what} completed{before} {json.dumps(dict(run.detail))}", Exit.DONE)
    if run.status is RunStatus.SKIPPED:
        return Result(f"{what} skipped: {run.detail['skipped']}", Exit.DONE)
    if run.status.is_final:
        return Result(f"{what} {run.status} after {run.attempts} attempts: {run.last_error}", Exit.FAILED)
    error = f", last error: {run.last_error}" if run.last_error else ""
    return Result(f"{what} is still {run.status}{error}", Exit.TRY_AGAIN)
