"""A workspace's alerts of the last weeks, read for pattern detection."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from convex_analytics.domain.patterns.history import DAYS, Episode, Subject
from convex_common.domain.replay import Setting
from convex_common.domain.severity import Severity
from convex_common.ids import floor_at
from convex_common.postgres.database import Connection
from convex_common.postgres.spans import verdict_of

MOST_ALERTS: Final = 50_000
"""The newest; where there are more, patterns are looked for in fewer days."""

TIMEZONE: Final = "SELECT timezone FROM workspaces WHERE id = %(workspace)s"

ALERTS: Final = """SELECT a.id, a.framework_id, a.rule_id, a.rule_name, a.triggered_at, a.resolved_at, a.severity,
    a.acknowledged_at IS NOT NULL OR coalesce(a.resolution = 'manual', false),
    coalesce(a.resolution <> 'manual', false), a.verdicts_useful - a.verdicts_false_alarm
FROM alerts a WHERE a.workspace_id = %(workspace)s AND a.id >= %(from_id)s AND a.id < %(to_id)s
ORDER BY a.id DESC LIMIT %(most)s"""

REOPENED: Final = """SELECT l.alert_id, count(*) FROM alert_log l
WHERE l.workspace_id = %(workspace)s AND l.id >= %(from_id)s AND l.id < %(to_id)s AND l.event = 'reopened'
GROUP BY 1"""

SETTINGS: Final = """SELECT id, for_seconds, suppression_seconds, severity, enabled FROM rules
WHERE workspace_id = %(workspace)s AND id = ANY (%(rules)s) AND deleted_at IS NULL"""


@dataclass(frozen=True, slots=True)
class Read:
    """The alerts, the wall clock that they are told by, and whether there were more than are looked at."""

    episodes: list[Episode]
    timezone: dt.tzinfo
    cut: bool


def load(connection: Connection, workspace_id: uuid.UUID, until: dt.datetime) -> Read:
    """What fired in the eight weeks before `until`. `connection` works for the workspace."""
    since = until - dt.timedelta(days=DAYS)
    which = {
        "workspace": workspace_id,
        "from_id": floor_at(since),
        "to_id": floor_at(until),
        "most": MOST_ALERTS,
    }
    named = connection.execute(TIMEZONE, which).fetchone()
    reopened: dict[uuid.UUID, int] = dict(connection.execute(REOPENED, which).fetchall())
    episodes = [
        Episode(
            subject=Subject(framework_id, rule_id, rule_name),
            triggered_at=triggered_at,
            resolved_at=resolved_at,
            severity=Severity(severity),
            acknowledged=acknowledged,
            by_itself=by_itself,
            reopened=reopened.get(alert_id, 0),
            useful=verdict_of(balance),
        )
        for (
            alert_id,
            framework_id,
            rule_id,
            rule_name,
            triggered_at,
            resolved_at,
            severity,
            acknowledged,
            by_itself,
            balance,
        ) in connection.execute(ALERTS, which)
    ]
    return Read(episodes, _zone(named[0] if named else "UTC"), len(episodes) == MOST_ALERTS)


def settings(
    connection: Connection, workspace_id: uuid.UUID, rule_ids: Iterable[uuid.UUID]
) -> dict[uuid.UUID, Setting]:
    """The present settings of those of the rules that are still there."""
    which = {"workspace": workspace_id, "rules": list(rule_ids)}
    return {
        rule_id: Setting(hold, window, Severity(severity), enabled)
        for rule_id, hold, window, severity, enabled in connection.execute(SETTINGS, which)
    }


def _zone(name: str) -> dt.tzinfo:
    """UTC for a name that this machine's database of timezones does not have."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return dt.UTC
