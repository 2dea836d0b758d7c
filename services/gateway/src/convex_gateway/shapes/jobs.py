"""Scheduled jobs on the wire."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from pydantic import BaseModel, Field

from convex_common.job_standing import Source, Wish
from convex_gateway.shapes.body import Answer

FOR_OPERATORS = "Shown to operators alone, as it may tell of other workspaces; null to everybody else"


class KubernetesJob(Answer):
    """A Job in the cluster that did, or does, a run of a job."""

    name: str
    status: str = Field(description="active, completed or failed")
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    run_id: uuid.UUID | None = Field(description="The run that somebody asked for; null for one of the timetable")


class CronJob(Answer):
    """A job's CronJob, as the scheduler saw it when it last looked."""

    name: str
    schedule: str = Field(description="The cluster's own, which the chart's values may have changed")
    time_zone: str | None
    suspended: bool
    active_jobs: int
    last_schedule: dt.datetime | None
    last_success: dt.datetime | None
    jobs: list[KubernetesJob] = Field(description="The newest first")
    error: str | None = Field(description="Why the last order about it is not carried out. " + FOR_OPERATORS)


class Kubernetes(Answer):
    """Whether the cluster's API answers the scheduler."""

    reachable: bool
    since: dt.datetime
    error: str | None = Field(description=FOR_OPERATORS)
    looked_at: dt.datetime = Field(description="When the scheduler last asked; what is told of CronJobs is as of then")


class Job(Answer):
    """A job of the installation: when it is due, and what became of its runs."""

    name: str
    schedule: str = Field(description="A cron expression, in UTC")
    priority: str
    runs_completed: int = Field(description="Of all time")
    runs_skipped: int = Field(description="Runs that had nothing to do here; no failures")
    runs_failed: int = Field(description="Runs that failed for good, those put into quarantine included")
    last_run: dt.datetime | None = Field(description="When the newest run ended")
    last_status: str | None = Field(description="completed, skipped, failed or quarantined")
    last_success: dt.datetime | None
    last_duration_seconds: float | None
    last_error: str | None = Field(description=FOR_OPERATORS)
    next_run: dt.datetime = Field(description="When it is due next; while it is suspended, when it would be")
    running: bool
    overdue: bool = Field(
        description="Whether a slot has been neither done nor skipped for more than ten minutes, also while a run is "
        "under way; never of a job that is suspended, nor of one that has not run yet"
    )
    suspended: bool = Field(description="Whether its timetable is off: it is run by hand only")
    suspended_source: Source | None = Field(
        description="order: a person by this API; values: the chart's; cluster: somebody in the cluster, such as by "
        "kubectl"
    )
    suspended_by: str | None = Field(description="Whose order it is")
    suspended_since: dt.datetime | None = Field(description="When it was ordered")
    pending_order: Wish | None = Field(description="What the CronJob has still to be told")
    cron_job: CronJob | None = Field(description="Null where no CronJob keeps the timetable")


class JobPage(BaseModel):
    """Every job of the timetable, in its order."""

    items: list[Job]
    next_cursor: None = Field(description="There is no next page")
    kubernetes: Kubernetes | None = Field(description="Null where no scheduler asks a cluster")


class JobRun(Answer):
    """A run of a job. Finished ones are kept for an hour, failed ones for a day, the timetable's newest for good."""

    id: uuid.UUID
    slot: dt.datetime = Field(description="The time that it is for; a slot of the timetable, or when somebody asked")
    status: str = Field(description="pending, running, completed, skipped, failed or quarantined")
    attempts: int = Field(description="Failures so far")
    requested_by: str | None = Field(description="Who asked for it; null where the timetable did")
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    due_at: dt.datetime | None = Field(description="When an unfinished run is begun or tried again at the earliest")
    last_error: str | None = Field(description=FOR_OPERATORS)
    detail: dict[str, Any] | None = Field(description=FOR_OPERATORS)
    kubernetes_job: str | None = Field(description="The Job in the cluster that does it; null where none does")
    no_kubernetes_job: str | None = Field(
        description="Why no Job could be made, so that the scheduler does it itself. " + FOR_OPERATORS
    )


class JobWithRuns(Job):
    """A job with its newest runs."""

    runs: list[JobRun] = Field(description="The newest first")


class JobAsked(Answer):
    """The run that was asked for."""

    run_id: uuid.UUID
    name: str
    slot: dt.datetime
    status: str
