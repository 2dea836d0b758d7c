"""The scheduler's settings."""

from __future__ import annotations

from pydantic import Field

from convex_common.domain.retention import Terms
from convex_common.settings import CommonSettings


class SchedulerSettings(CommonSettings):
    """Common settings, who keeps the timetable, for how long anything is kept."""

    scheduler_loop: bool = Field(
        default=True, description="give true, or false where CronJobs ask for the slots and `serve` runs what is asked"
    )

    retention_observations_days: int = Field(default=30, ge=1, le=36500, description="give days, 1 or more")
    retention_log_days: int = Field(
        default=90, ge=3, le=36500, description="give days, 3 or more; of the alert log, deliveries and attempts"
    )
    retention_alerts_days: int = Field(default=365, ge=3, le=36500, description="give days, 3 or more")
    retention_statistics_days: int = Field(default=1095, ge=3, le=36500, description="give days, 3 or more")

    @property
    def terms(self) -> Terms:
        """How long the installation keeps what was recorded."""
        return Terms(
            observations=self.retention_observations_days,
            log=self.retention_log_days,
            alerts=self.retention_alerts_days,
            statistics=self.retention_statistics_days,
        )

    scheduler_lease_seconds: float = Field(default=30.0, ge=1, le=600, description="give seconds, 1 to 600")
