"""The settings of analytics."""

from __future__ import annotations

from pydantic import Field

from convex_common.settings import CommonSettings


class AnalyticsSettings(CommonSettings):
    """Common settings, and how much is done at once."""

    analytics_threads: int = Field(default=4, ge=1, le=32, description="give the number of message threads, 1 to 32")
    analytics_lease_seconds: float = Field(default=60.0, ge=1, le=600, description="give seconds, 1 to 600")
