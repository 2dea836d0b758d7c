"""Statistics of whole days, computed for every workspace from its alert log."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from convex_analytics import day_log, quarter_log
from convex_analytics.domain.daily import FrameworkDay, summarize
from convex_analytics.domain.quarters import Facts, quarters
from convex_analytics.workspaces import each
from convex_common.postgres import positions
from convex_common.postgres.database import Connection, Database
from convex_common.postgres.job_runner import Lease


@dataclass(frozen=True, slots=True)
class Computed:
    """How much a run has gone through."""

    workspaces: int
    frameworks: int
    alerts: int


class Statistics:
    """Recomputes days, again and again if need be: the same log gives the same rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def compute(self, days: Sequence[dt.date], lease: Lease) -> Computed:
        """One transaction per workspace and day. A workspace that fails holds up no other, but is tried again."""
        frameworks = alerts = 0

        def compute(workspace_id: uuid.UUID, done: Mapping[str, int]) -> None:
            nonlocal frameworks, alerts
            computed = self._compute(workspace_id, days, lease, done)
            frameworks += len({one.framework_id for one in computed})
            alerts += sum(one.alerts for one in computed)

        gone_through = each(self._database, "a workspace's statistics could not be computed", compute)
        return Computed(gone_through, frameworks, alerts)

    def _compute(
        self, workspace_id: uuid.UUID, days: Sequence[dt.date], lease: Lease, done: Mapping[str, int]
    ) -> list[FrameworkDay]:
        """The days, and then the quarters of earlier ones of whose alerts something became on them."""
        computed: list[FrameworkDay] = []
        touched: set[dt.datetime] = set()
        for day in days:
            with self._work(workspace_id, day, lease, done) as work:
                found = day_log.load(work.connection, workspace_id, day)
                settled = quarter_log.settled(work.connection, workspace_id, day)
                of_day = summarize(found.opened, found.occurrences, found.took)
                of_quarters = quarters(Facts(found.opened, found.responses, found.decisions, settled))
                work.changed |= day_log.save(work.connection, workspace_id, day, of_day)
                work.changed |= quarter_log.save(work.connection, workspace_id, of_quarters)
            computed += of_day
            touched.update(found.touched)
        for since in sorted(touched):
            day = since.astimezone(dt.UTC).date()
            if day not in days:
                with self._work(workspace_id, day, lease, done) as work:
                    work.changed |= quarter_log.follow(work.connection, workspace_id, since)
        return computed

    @contextmanager
    def _work(self, workspace_id: uuid.UUID, day: dt.date, lease: Lease, done: Mapping[str, int]) -> Iterator[_Work]:
        """A transaction on a day. What changes ends what was cached of it, by the same transaction."""
        with self._database.transaction(workspace_id) as connection:
            work = _Work(connection)
            yield work
            if work.changed:
                positions.raise_version(connection, workspace_id, "statistics")
            lease.hold(connection, {**done, "day": day.isoformat()})


@dataclass(slots=True)
class _Work:
    connection: Connection
    changed: bool = False
