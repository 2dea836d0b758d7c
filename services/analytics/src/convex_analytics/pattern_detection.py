"""The detection of patterns: every six hours, what the last eight weeks of each workspace's alerts repeat, and how far
people's verdicts on them move the bars of anomaly rules."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Any, Final

from convex_analytics import alert_history, bars, pattern_rows
from convex_analytics.domain.patterns.advice import Advice, advise
from convex_analytics.domain.patterns.find import find
from convex_analytics.domain.patterns.history import DAYS, history
from convex_analytics.domain.patterns.pattern import Pattern
from convex_analytics.pattern_rows import Saved
from convex_analytics.workspaces import each
from convex_common.ids import Ids
from convex_common.postgres import positions, spans
from convex_common.postgres.database import Connection, Database
from convex_common.postgres.job_runner import Lease

NAME: Final = "pattern-detection"


class PatternDetection:
    """A job. Reads, then computes without a transaction, then writes in one: nobody waits for the computing."""

    def __init__(self, database: Database, ids: Ids) -> None:
        self._database = database
        self._ids = ids

    def __call__(self, lease: Lease) -> Mapping[str, Any]:
        """How much was found. A workspace that fails holds up no other, but the run is tried again."""
        totals = {"alerts": 0, "patterns": 0, "ended": 0, "cut": 0, "bars_moved": 0}

        def detect(workspace_id: uuid.UUID, done: Mapping[str, int]) -> None:
            read, saved, bars_moved = self._detect(workspace_id, lease, {**totals, **done})
            totals["alerts"] += len(read.episodes)
            totals["patterns"] += saved.found
            totals["ended"] += saved.ended
            totals["cut"] += read.cut
            totals["bars_moved"] += bars_moved

        workspaces = each(self._database, "a workspace's patterns could not be detected", detect)
        return {"workspaces": workspaces, **totals}

    def _detect(
        self, workspace_id: uuid.UUID, lease: Lease, progress: Mapping[str, Any]
    ) -> tuple[alert_history.Read, Saved, int]:
        with self._database.transaction(workspace_id) as connection:
            read = alert_history.load(connection, workspace_id, lease.slot)
            lease.hold(connection, progress)
        with lease.kept(self._database):
            found = find(history(read.episodes, lease.slot, read.timezone))
        with self._database.transaction(workspace_id) as connection:
            advised = self._advised(connection, workspace_id, found, lease.slot)
            saved = pattern_rows.save(connection, workspace_id, advised, lease.slot, self._ids)
            if saved.found or saved.ended:
                positions.raise_version(connection, workspace_id, "patterns")
            lease.hold(connection, progress)
        with self._database.transaction(workspace_id) as connection:
            bars_moved = bars.move(connection, workspace_id, lease.slot)
            lease.hold(connection, progress)
        return read, saved, bars_moved

    def _advised(
        self, connection: Connection, workspace_id: uuid.UUID, found: list[Pattern], now: dt.datetime
    ) -> list[tuple[Pattern, Advice]]:
        subjects = {one.subject.rule_id: one.subject for one in found if one.subject.rule_id is not None}
        settings = alert_history.settings(connection, workspace_id, subjects)
        since = now - dt.timedelta(days=DAYS)
        on_record = {
            rule_id: spans.load(connection, workspace_id, subjects[rule_id].framework_id, rule_id, since)
            for rule_id in settings
        }
        advised = []
        for one in found:
            rule_id = one.subject.rule_id
            setting = settings.get(rule_id) if rule_id is not None else None
            spans_of_rule = on_record.get(rule_id, []) if rule_id is not None else []
            advised.append((one, advise(one, setting, spans_of_rule, now)))
        return advised
