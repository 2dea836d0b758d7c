"""How a job of the timetable stands: what became of its runs, and when the next one is due."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from convex_common.job_standing import ON_ITS_TIMETABLE, Standing
from convex_common.timetable import ScheduledJob, Timetable

OUTCOMES: Final = ("completed", "skipped", "failed", "quarantined")
"""What can become of a run."""

GRACE: Final = dt.timedelta(minutes=10)
"""How long a slot may wait before its job is called overdue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is on record of a job's runs: how many ended how, of all time, and the newest of them."""

    completed: int = 0
    skipped: int = 0
    failed: int = 0
    quarantined: int = 0
    last_run: dt.datetime | None = None
    last_status: str | None = None
    last_seconds: float | None = None
    last_error: str | None = None
    last_success: dt.datetime | None = None
    running: bool = False

    def of(self, outcome: str) -> int:
        """How many runs ended so."""
        return int(getattr(self, outcome))


NEVER_RUN: Final = Figures()


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job with its figures at some time, and whether its timetable is on."""

    job: ScheduledJob
    figures: Figures
    next_run: dt.datetime
    standing: Standing = ON_ITS_TIMETABLE

    @property
    def name(self) -> str:
        """The job's name."""
        return self.job.name

    @property
    def schedule(self) -> str:
        """A cron expression, in UTC."""
        return self.job.schedule

    @property
    def priority(self) -> str:
        """high, medium or low."""
        return self.job.priority.name.lower()

    def overdue(self, now: dt.datetime, since: dt.datetime) -> dt.timedelta:
        """For how long a slot has waited to be done or skipped; of a job that never ran, one after `since`.

        A suspended job is not overdue, whatever it has missed, and one that was resumed has missed nothing before.
        """
        if self.standing.suspension is not None:
            return dt.timedelta()
        figures, order = self.figures, self.standing.order
        resumed = None if order is None else order.at
        done = [figures.last_success, figures.last_run if figures.last_status == "skipped" else None, resumed]
        due = self.standing.next_due(self.job, max((at for at in done if at is not None), default=since))
        return max(now - due, dt.timedelta())

    def is_overdue(self, now: dt.datetime) -> bool:
        """Whether a slot has waited for longer than the grace. A job that never ran is not: it may be new."""
        return self.overdue(now, since=self.figures.last_run or now) > GRACE

    def as_answer(self, now: dt.datetime, *, with_error: bool) -> dict[str, Any]:
        """As the API and the scheduler tell it. An error may name other workspaces: not everybody is shown it."""
        figures = self.figures
        return {
            "name": self.name,
            "schedule": self.schedule,
            "priority": self.priority,
            "runs_completed": figures.completed,
            "runs_skipped": figures.skipped,
            "runs_failed": figures.failed + figures.quarantined,
            "last_run": figures.last_run,
            "last_status": figures.last_status,
            "last_success": figures.last_success,
            "last_duration_seconds": figures.last_seconds,
            "last_error": figures.last_error if with_error else None,
            "next_run": self.next_run,
            "running": figures.running,
            "overdue": self.is_overdue(now),
            **self.standing.as_answer(with_error=with_error),
        }


def statuses(
    timetable: Timetable, figures: Mapping[str, Figures], standings: Mapping[str, Standing], now: dt.datetime
) -> list[JobStatus]:
    """Every job of the timetable, in its order."""
    return [_status(job, figures, standings.get(job.name, ON_ITS_TIMETABLE), now) for job in timetable]


def _status(job: ScheduledJob, figures: Mapping[str, Figures], standing: Standing, now: dt.datetime) -> JobStatus:
    return JobStatus(job, figures.get(job.name, NEVER_RUN), standing.next_due(job, now), standing)
