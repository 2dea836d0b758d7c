"""Days of a workspace's alert log in quarters of an hour: counted by the database, and kept."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Sequence
from typing import Final

from convex_analytics.day_log import of_day
from convex_analytics.domain.quarters import Decisions, Facts, Opened, Quarter, Responses, Settled, as_row
from convex_common.domain.durations import GROWTH, SHORTEST
from convex_common.ids import floor_at
from convex_common.postgres.database import Connection

LONGEST_DELIVERY: Final = dt.timedelta(days=8)
"""Deliveries that became final later than this after they were made are not looked for."""

_OF_DAY: Final = """l.workspace_id = %(workspace)s AND l.id >= %(from_id)s AND l.id < %(to_id)s
    AND l.at >= %(start)s AND l.at < %(end)s"""
_QUARTER: Final = "date_bin('15 minutes', {}, '2000-01-01T00:00:00Z')"
_ALERT: Final = "LEFT JOIN alerts a ON a.workspace_id = l.workspace_id AND a.id = l.alert_id"

# A tie of verdicts is no false alarm.
OPENED: Final = f"""SELECT l.framework_id, {_QUARTER.format("l.at")}, j.severity, j.alert_type, j.rule_id, count(*),
    count(a.id), count(a.acknowledged_at), count(*) FILTER (WHERE a.status = 'resolved'),
    count(*) FILTER (WHERE a.verdicts_useful + a.verdicts_false_alarm > 0),
    count(*) FILTER (WHERE a.verdicts_false_alarm > a.verdicts_useful)
FROM alert_log l {_ALERT}
CROSS JOIN LATERAL json_to_record(convert_from(l.data, 'UTF8')::json) AS j(severity text, alert_type text, rule_id text)
WHERE {_OF_DAY} AND l.event = 'created' GROUP BY 1, 2, 3, 4, 5"""  # noqa: S608 - made of our own text

# Milliseconds are whole numbers: their sum does not depend on the order in which they are added.
RESPONSES: Final = f"""SELECT l.framework_id, {_QUARTER.format("l.at")}, l.event,
    ceil(ln(greatest(s.seconds, {SHORTEST})) / ln({GROWTH}::float8))::int, count(*),
    sum(round(s.seconds * 1000))::bigint
FROM alert_log l {_ALERT}
CROSS JOIN LATERAL (SELECT greatest(0, extract(epoch FROM l.at - coalesce(a.triggered_at,
    (convert_from(l.data, 'UTF8')::json->>'triggered_at')::timestamptz)))::float8 AS seconds) s
WHERE {_OF_DAY} AND l.event IN ('acknowledged', 'resolved') GROUP BY 1, 2, 3, 4"""  # noqa: S608

DECISIONS: Final = f"""SELECT l.framework_id, {_QUARTER.format("l.at")}, l.event, l.reason,
    coalesce((convert_from(l.detail, 'UTF8')::json->>'notified')::boolean, false), count(*), sum(l.count)::bigint
FROM alert_log l
WHERE {_OF_DAY} AND l.event IN ('created', 'updated', 'suppressed', 'escalated', 'reopened')
GROUP BY 1, 2, 3, 4, 5"""  # noqa: S608 - made of our own text

SETTLED: Final = f"""SELECT a.framework_id, {_QUARTER.format("d.finished_at")}, d.channel_id, d.status, count(*)
FROM deliveries d JOIN alerts a ON a.workspace_id = d.workspace_id AND a.id = d.alert_id
WHERE d.workspace_id = %(workspace)s AND d.id >= %(made_from)s AND d.id < %(to_id)s
    AND d.finished_at >= %(start)s AND d.finished_at < %(end)s AND d.status <> 'pending'
GROUP BY 1, 2, 3, 4"""  # noqa: S608 - made of our own text

# Days before this one whose alerts were answered, ended or judged in it: what became of them has changed.
TOUCHED: Final = f"""SELECT DISTINCT (a.triggered_at AT TIME ZONE 'UTC')::date AS day
FROM alert_log l JOIN alerts a ON a.workspace_id = l.workspace_id AND a.id = l.alert_id
WHERE {_OF_DAY} AND l.event IN ('acknowledged', 'resolved', 'reopened', 'judged') AND a.triggered_at < %(start)s
ORDER BY day"""  # noqa: S608 - made of our own text

_HAPPENED: Final = ("alerts", "by_severity", "by_type", "by_rule", "folded", "told", "told_again", "withheld",
    "acknowledged", "acknowledged_total", "acknowledged_in", "resolved", "resolved_total", "resolved_in",
    "deliveries")  # fmt: skip
_BECAME: Final = ("followed", "answered", "ended", "judged", "false_alarms")
_KINDS: Final = {
    "framework_id": "uuid",
    "at": "timestamptz",
    "acknowledged_total": "float8",
    "resolved_total": "float8",
}
_JSON: Final = ("by_", "withheld", "deliveries")


def _kind(name: str) -> str:
    is_json = name.startswith(_JSON) or name.endswith("_in")
    return _KINDS.get(name, "jsonb" if is_json else "integer")


def _save() -> str:
    columns = ("framework_id", "at", *_HAPPENED, *_BECAME)
    kept = [f"{name} = excluded.{name}" for name in _HAPPENED]
    # Alerts that retention took are no longer known: what was known of a quarter's stays.
    kept += [
        f"{name} = CASE WHEN excluded.followed >= q.followed THEN excluded.{name} ELSE q.{name} END" for name in _BECAME
    ]
    return f"""INSERT INTO alert_quarters AS q (workspace_id, {", ".join(columns)})
SELECT %(workspace)s, {", ".join(f"r.{name}" for name in columns)}
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r({", ".join(f"{name} {_kind(name)}" for name in columns)})
ON CONFLICT (workspace_id, at, framework_id) DO UPDATE SET {", ".join(kept)}, computed_at = now()
WHERE ({_row("q", _HAPPENED)}) IS DISTINCT FROM ({_row("excluded", _HAPPENED)})
    OR (excluded.followed >= q.followed AND ({_row("q", _BECAME)}) IS DISTINCT FROM ({_row("excluded", _BECAME)}))"""  # noqa: S608


def _row(alias: str, names: Sequence[str]) -> str:
    return ", ".join(f"{alias}.{name}" for name in names)


# A recomputed quarter that is the same stays as it was, computed_at included.
SAVE: Final = _save()


def load(connection: Connection, workspace_id: uuid.UUID, day: dt.date) -> Facts:
    """What happened on a UTC day. `connection` works for the workspace."""
    which = of_day(workspace_id, day)
    which["made_from"] = floor_at(which["start"] - LONGEST_DELIVERY)
    return Facts(
        opened=[Opened(*row) for row in connection.execute(OPENED, which)],
        responses=[Responses(*row) for row in connection.execute(RESPONSES, which)],
        decisions=[Decisions(*row) for row in connection.execute(DECISIONS, which)],
        settled=[Settled(*row) for row in connection.execute(SETTLED, which)],
    )


def save(connection: Connection, workspace_id: uuid.UUID, quarters: Sequence[Quarter]) -> bool:
    """Keep them; whether any were new. No row is ever taken away: what is gone from the log stays as it was counted."""
    if not quarters:
        return False
    rows = json.dumps([as_row(quarter) for quarter in quarters], default=str)
    return connection.execute(SAVE, {"workspace": workspace_id, "rows": rows}).rowcount > 0


def touched(connection: Connection, workspace_id: uuid.UUID, day: dt.date) -> list[dt.date]:
    """Earlier days whose alerts something became of on this one."""
    return [row[0] for row in connection.execute(TOUCHED, of_day(workspace_id, day))]
