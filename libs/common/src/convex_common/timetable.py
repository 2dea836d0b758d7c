"""What runs when. Pure: schedules are cron expressions in UTC, and a slot is a time at which a job was due."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, cast

from croniter import croniter

from convex_common.contracts import JOB_DUE, PREDICTION_DUE, Contract, JobDue
from convex_common.errors import NotFound

LOCAL_QUEUE = "scheduler"
"""Jobs that the scheduler does itself."""

HINTS: Final[Mapping[str, Contract[JobDue]]] = {JOB_DUE.queue: JOB_DUE, PREDICTION_DUE.queue: PREDICTION_DUE}
"""What tells the runners of a queue that a run was asked for; the scheduler needs no telling."""

_SECOND = dt.timedelta(seconds=1)


class Priority(IntEnum):
    """Which of two jobs that are due at once goes first."""

    HIGH = 0
    MEDIUM = 1
    LOW = 2


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """A job, its cron expression in UTC, and the queue on which it is run."""

    name: str
    schedule: str
    priority: Priority
    queue: str
    needs_owner: bool = False

    @property
    def is_local(self) -> bool:
        """Whether the scheduler does it itself."""
        return self.queue == LOCAL_QUEUE

    def latest_due(self, now: dt.datetime) -> dt.datetime:
        """The newest slot that is not later than `now`."""
        after = now.astimezone(dt.UTC).replace(microsecond=0) + _SECOND
        return cast(dt.datetime, croniter(self.schedule, after).get_prev(dt.datetime))

    def due_between(self, first: dt.datetime, last: dt.datetime) -> list[dt.datetime]:
        """Every slot from `first` to `last`, both included."""
        slots = []
        slot = self.next_due(first - dt.timedelta.resolution)
        while slot <= last:
            slots.append(slot)
            slot = self.next_due(slot)
        return slots

    def next_due(self, now: dt.datetime) -> dt.datetime:
        """The first slot later than `now`."""
        return cast(dt.datetime, croniter(self.schedule, now.astimezone(dt.UTC)).get_next(dt.datetime))


def rfc3339(at: dt.datetime) -> str:
    """As in contracts and answers: UTC, with a Z."""
    return at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Due:
    """A slot of a job that has come."""

    job: ScheduledJob
    slot: dt.datetime


@dataclass(frozen=True, slots=True)
class Timetable:
    """The jobs of an installation, by name."""

    jobs: Sequence[ScheduledJob]

    def __iter__(self) -> Iterator[ScheduledJob]:
        return iter(self.jobs)

    def job(self, name: str) -> ScheduledJob:
        """The job of a name; NotFound otherwise."""
        for job in self.jobs:
            if job.name == name:
                return job
        known = ", ".join(job.name for job in self.jobs)
        raise NotFound(f"{name}: there is no such job", cure=f"known are {known}")

    def without_owner(self) -> Timetable:
        """What can be done without the owner's rights on the database."""
        return Timetable(tuple(job for job in self.jobs if not job.needs_owner))

    def due(self, now: dt.datetime) -> list[Due]:
        """The latest slot of every job, the most urgent first. However many were missed, only the last is caught up."""
        slots = [Due(job, job.latest_due(now)) for job in self.jobs]
        return sorted(slots, key=lambda due: (due.job.priority, due.slot))


TIMETABLE = Timetable(
    (
        ScheduledJob("analytics-aggregation", "0 2 * * *", Priority.HIGH, JOB_DUE.queue),
        ScheduledJob("predictions", "0 3 * * *", Priority.HIGH, PREDICTION_DUE.queue),
        ScheduledJob("partitions", "0 * * * *", Priority.HIGH, LOCAL_QUEUE, needs_owner=True),
        ScheduledJob("retention", "30 3 * * *", Priority.MEDIUM, LOCAL_QUEUE, needs_owner=True),
        ScheduledJob("pattern-detection", "0 */6 * * *", Priority.MEDIUM, JOB_DUE.queue),
        ScheduledJob("cache-health-check", "0 * * * *", Priority.LOW, LOCAL_QUEUE),
        ScheduledJob("alert-statistics-refresh", "*/30 * * * *", Priority.LOW, JOB_DUE.queue),
        ScheduledJob("job-cleanup", "0 */12 * * *", Priority.LOW, LOCAL_QUEUE),
    )
)
