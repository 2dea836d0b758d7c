"""Whether a job's timetable is off, and who says so: a person's order, the chart's values, or somebody in the cluster.

Pure. An order to suspend holds until it is taken back; one to resume is carried out once, and the cluster's own word
counts again afterwards.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from convex_common.timetable import ScheduledJob


class Source(StrEnum):
    """Who suspended a job: a person by the API, the chart's values, or somebody in the cluster (kubectl)."""

    ORDER = "order"
    VALUES = "values"
    CLUSTER = "cluster"


class Wish(StrEnum):
    """What was ordered and has not been carried out."""

    SUSPEND = "suspend"
    RESUME = "resume"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a person ordered last. `done` says that it was carried out, which ends an order to resume."""

    suspended: bool
    by: str
    at: dt.datetime
    done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CronJobSeen:
    """A job's CronJob as the scheduler saw it. `error` is why the last order about it could not be carried out."""

    name: str
    schedule: str
    time_zone: str | None
    suspended: bool
    by_values: bool
    active: int
    last_schedule: dt.datetime | None
    last_success: dt.datetime | None
    newest_jobs: Sequence[Mapping[str, Any]]
    error: str | None = None

    def as_answer(self, *, with_error: bool) -> dict[str, Any]:
        """As the API tells it. An error tells of the cluster's insides: not everybody is shown it."""
        return {
            "name": self.name,
            "schedule": self.schedule,
            "time_zone": self.time_zone,
            "suspended": self.suspended,
            "active_jobs": self.active,
            "last_schedule": self.last_schedule,
            "last_success": self.last_success,
            "jobs": list(self.newest_jobs),
            "error": self.error if with_error else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Whether the cluster's API answers the scheduler, since when, and when it was last asked."""

    namespace: str
    reachable: bool
    since: dt.datetime
    error: str | None
    looked_at: dt.datetime

    def as_answer(self, *, with_error: bool) -> dict[str, Any]:
        """As the API tells it."""
        return {
            "reachable": self.reachable,
            "since": self.since,
            "error": self.error if with_error else None,
            "looked_at": self.looked_at,
        }


BLIND_AFTER: Final = dt.timedelta(minutes=2)


def sight_now(sight: Sight, now: dt.datetime) -> Sight:
    """What it is worth by now: a scheduler that has not looked for two minutes sees nothing."""
    if now - sight.looked_at <= BLIND_AFTER:
        return sight
    return replace(sight, reachable=False, since=sight.looked_at, error="the scheduler has not looked since")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """Why a job's timetable is off; `by` and `since` where a person ordered it."""

    source: Source
    by: str | None = None
    since: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What is ordered of a job, and what the cluster says of it."""

    order: Order | None = None
    cron_job: CronJobSeen | None = None

    @property
    def suspension(self) -> Suspension | None:
        """Why its timetable is off; None where it is on."""
        if self.order is not None and self.order.suspended:
            return Suspension(source=Source.ORDER, by=self.order.by, since=self.order.at)
        if self.cron_job is not None and self.cron_job.suspended:
            return Suspension(source=Source.VALUES if self.cron_job.by_values else Source.CLUSTER)
        return None

    @property
    def wish(self) -> Wish | None:
        """What the cluster has still to be told; None where it agrees, and where values forbid it."""
        if self.order is None or self.cron_job is None or self.order.suspended == self.cron_job.suspended:
            return None
        if self.order.suspended:
            return Wish.SUSPEND
        return None if self.order.done or self.cron_job.by_values else Wish.RESUME

    @property
    def may_be_resumed(self) -> bool:
        """Whether an order to resume has any effect: what the chart's values alone suspend is theirs."""
        suspension = self.suspension
        return suspension is not None and suspension.source is not Source.VALUES

    def next_due(self, job: ScheduledJob, now: dt.datetime) -> dt.datetime:
        """When the job is due next: by the CronJob's own schedule, where there is one that can be read."""
        if self.cron_job is None or self.cron_job.time_zone not in (None, "Etc/UTC", "UTC"):
            return job.next_due(now)
        try:
            return replace(job, schedule=self.cron_job.schedule).next_due(now)
        except ValueError:
            return job.next_due(now)

    def as_answer(self, *, with_error: bool) -> dict[str, Any]:
        """What the API adds of it to a job."""
        suspension = self.suspension
        return {
            "suspended": suspension is not None,
            "suspended_source": suspension.source if suspension else None,
            "suspended_by": suspension.by if suspension else None,
            "suspended_since": suspension.since if suspension else None,
            "pending_order": self.wish,
            "cron_job": None if self.cron_job is None else self.cron_job.as_answer(with_error=with_error),
        }


ON_ITS_TIMETABLE: Final = Standing()
