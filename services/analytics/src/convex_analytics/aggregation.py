"""The daily aggregation: statistics of the day before its slot, for each workspace and framework."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from typing import Any, Final

from convex_analytics import day_log
from convex_analytics.domain.daily import FrameworkDay, previous_day, summarize
from convex_common.errors import ConvexError, LeaseLost, StoreUnavailable
from convex_common.logging import bound
from convex_common.postgres.database import Database
from convex_common.postgres.job_runner import Interrupted, Lease

log = logging.getLogger(__name__)

NAME: Final = "analytics-aggregation"


class WorkspacesFailed(ConvexError):  # noqa: N818 - named like the tree of errors in common
    """Some workspaces could not be aggregated; the others were."""


class DailyAggregation:
    """A job. May be run for any day, again and again: the same log gives the same rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __call__(self, lease: Lease) -> Mapping[str, Any]:
        """One transaction per workspace. A workspace that fails holds up no other, but the run is tried again."""
        frameworks = alerts = 0
        failed: list[uuid.UUID] = []
        workspaces = self._workspaces()
        for workspace_id in workspaces:
            with bound(workspace_id=workspace_id):
                try:
                    computed = self._aggregate(workspace_id, lease)
                except (LeaseLost, Interrupted, StoreUnavailable):
                    raise
                except Exception:
                    log.exception("a workspace's day could not be aggregated")
                    failed.append(workspace_id)
                else:
                    frameworks += len(computed)
                    alerts += sum(one.alerts for one in computed)
        if failed:
            raise WorkspacesFailed(f"{len(failed)} of {len(workspaces)} workspaces failed, the first {failed[0]}")
        return {
            "day": previous_day(lease.slot).isoformat(),
            "workspaces": len(workspaces),
            "frameworks": frameworks,
            "alerts": alerts,
        }

    def _workspaces(self) -> list[uuid.UUID]:
        with self._database.transaction() as connection:
            return [row[0] for row in connection.execute("SELECT workspace_ids()")]

    def _aggregate(self, workspace_id: uuid.UUID, lease: Lease) -> list[FrameworkDay]:
        day = previous_day(lease.slot)
        with self._database.transaction(workspace_id) as connection:
            found = day_log.load(connection, workspace_id, day)
            computed = summarize(found.opened, found.occurrences, found.responses)
            day_log.save(connection, workspace_id, day, computed)
            lease.hold(connection)
        return computed
