"""Scheduled jobs on the wire."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from pydantic import BaseModel, Field

from convex_gateway.shapes.body import Answer

FOR_OPERATORS = "Shown to operators alone, as it may tell of other workspaces; null to everybody else"


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
    next_run: dt.datetime
    running: bool


class JobPage(BaseModel):
    """Every job of the timetable, in its order."""

    items: list[Job]
    next_cursor: None = Field(description="There is no next page")


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


class JobWithRuns(Job):
    """A job with its newest runs."""

    runs: list[JobRun] = Field(description="The newest first")


class JobAsked(Answer):
    """The run that was asked for."""

    run_id: uuid.UUID
    name: str
    slot: dt.datetime
    status: str
