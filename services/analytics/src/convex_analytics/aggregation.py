"""The daily aggregation: statistics of the day before its slot, for each workspace and framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from convex_analytics.domain.daily import previous_day
from convex_analytics.statistics import Statistics
from convex_common.postgres.job_runner import Lease

NAME: Final = "analytics-aggregation"


class DailyAggregation:
    """A job. May be run for any day, again and again."""

    def __init__(self, statistics: Statistics) -> None:
        self._statistics = statistics

    def __call__(self, lease: Lease) -> Mapping[str, Any]:
        """The day, and how much there was of it."""
        day = previous_day(lease.slot)
        return {"day": day.isoformat(), **asdict(self._statistics.compute([day], lease))}
