"""The refresh of alert statistics: the running day's figures every half hour, so that nobody waits for the night."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from convex_analytics import aggregation
from convex_analytics.domain.daily import previous_day
from convex_analytics.statistics import Statistics
from convex_common.postgres.database import Database
from convex_common.postgres.job_runner import Lease

NAME: Final = "alert-statistics-refresh"

AGGREGATED: Final = """SELECT EXISTS (SELECT FROM job_runs
    WHERE job = %(job)s AND status = 'completed' AND slot >= %(start)s AND slot < %(end)s)"""


class StatisticsRefresh:
    """A job. Computes the day of its slot, and the day before until the aggregation has settled that one."""

    def __init__(self, database: Database, statistics: Statistics) -> None:
        self._database = database
        self._statistics = statistics

    def __call__(self, lease: Lease) -> Mapping[str, Any]:
        """The days, and how much there was of them."""
        today = lease.slot.date()
        days = [today] if self._aggregated_on(today) else [previous_day(lease.slot), today]
        return {"days": [day.isoformat() for day in days], **asdict(self._statistics.compute(days, lease))}

    def _aggregated_on(self, day: dt.date) -> bool:
        start = dt.datetime.combine(day, dt.time(), dt.UTC)
        bounds = {"job": aggregation.NAME, "start": start, "end": start + dt.timedelta(days=1)}
        with self._database.transaction() as connection:
            row = connection.execute(AGGREGATED, bounds).fetchone()
        return bool(row and row[0])
