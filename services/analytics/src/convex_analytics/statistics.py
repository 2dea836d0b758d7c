"""Statistics of whole days, computed for every workspace from its alert log."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from convex_analytics import day_log, quarter_log
from convex_analytics.domain.daily import FrameworkDay, summarize
from convex_analytics.domain.quarters import quarters
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
        """The days, and then the earlier ones of whose alerts something became on them."""
        computed: list[FrameworkDay] = []
        touched: set[dt.date] = set()
        for day in days:
            with self._database.transaction(workspace_id) as connection:
                found = day_log.load(connection, workspace_id, day)
                of_day = summarize(found.opened, found.occurrences, found.responses)
                changed = day_log.save(connection, workspace_id, day, of_day)
                touched.update(quarter_log.touched(connection, workspace_id, day))
                self._finish(connection, workspace_id, day, lease, changed=changed, done=done)
            computed += of_day
        for day in sorted(touched - set(days)):
            with self._database.transaction(workspace_id) as connection:
                self._finish(connection, workspace_id, day, lease, changed=False, done=done)
        return computed

    def _finish(
        self,
        connection: Connection,
        workspace_id: uuid.UUID,
        day: dt.date,
        lease: Lease,
        *,
        changed: bool,
        done: Mapping[str, int],
    ) -> None:
        """The day's quarters. What changes ends what was cached of it, by the same transaction."""
        changed |= quarter_log.save(connection, workspace_id, quarters(quarter_log.load(connection, workspace_id, day)))
        if changed:
            positions.raise_version(connection, workspace_id, "statistics")
        lease.hold(connection, {**done, "day": day.isoformat()})
