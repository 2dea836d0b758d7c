"""The scheduler's settings."""

from __future__ import annotations

from pydantic import Field

from convex_common.settings import CommonSettings


class SchedulerSettings(CommonSettings):
    """Common settings, who keeps the timetable, and how long a killed scheduler's job is left to it."""

    scheduler_loop: bool = Field(
        default=True, description="give true, or false where CronJobs ask for the slots and `serve` runs what is asked"
    )

    scheduler_lease_seconds: float = Field(default=30.0, ge=1, le=600, description="give seconds, 1 to 600")
