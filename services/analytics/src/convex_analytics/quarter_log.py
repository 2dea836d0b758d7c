"""Quarters of an hour of a workspace's alerts, kept; and what became of alerts since, brought up to date."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Sequence
from typing import Final

from convex_analytics.day_log import FALSE_ALARM, JUDGED, QUARTER, utc
from convex_analytics.domain.quarters import Quarter, Settled, as_row
from convex_analytics.feed_range import WITHIN, within
from convex_analytics.moments import bounds
from convex_common.ids import floor_at
from convex_common.postgres.database import Connection

LONGEST_DELIVERY: Final = dt.timedelta(days=8)
"""Deliveries that became final later than this after they were made are not looked for."""

SETTLED: Final = f"""SELECT a.framework_id, {QUARTER.format("d.finished_at")}, d.channel_id, d.status, count(*)
FROM deliveries d JOIN alerts a ON a.workspace_id = d.workspace_id AND a.id = d.alert_id
WHERE d.workspace_id = %(workspace)s AND d.id >= %(made_from)s AND d.id < %(to_id)s
    AND d.finished_at >= %(start)s AND d.finished_at < %(end)s AND d.status <> 'pending'
GROUP BY 1, 2, 3, 4"""  # noqa: S608 - made of our own text

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

FOLLOW: Final = f"""UPDATE alert_quarters q SET ({", ".join(_BECAME)}, computed_at) = ({_row("r", _BECAME)}, now())
FROM (SELECT l.framework_id, {QUARTER.format("l.at")} AS at, count(*) AS followed, count(a.acknowledged_at) AS answered,
        count(*) FILTER (WHERE a.status = 'resolved') AS ended, count(*) FILTER (WHERE {JUDGED}) AS judged,
        count(*) FILTER (WHERE {FALSE_ALARM}) AS false_alarms
    FROM alert_log l JOIN alerts a ON a.workspace_id = l.workspace_id AND a.id = l.alert_id
    WHERE {WITHIN} AND l.event = 'created' GROUP BY 1, 2) r
WHERE q.workspace_id = %(workspace)s AND q.at = r.at AND q.framework_id = r.framework_id AND r.followed >= q.followed
    AND ({_row("q", _BECAME)}) IS DISTINCT FROM ({_row("r", _BECAME)})"""  # noqa: S608


def settled(connection: Connection, workspace_id: uuid.UUID, day: dt.date) -> list[Settled]:
    """Deliveries that became final on a UTC day. `connection` works for the workspace."""
    start, end = utc(day)
    which = {"workspace": workspace_id, "made_from": floor_at(start - LONGEST_DELIVERY), **bounds(start, end)}
    return [Settled(*row) for row in connection.execute(SETTLED, which)]


def save(connection: Connection, workspace_id: uuid.UUID, quarters: Sequence[Quarter]) -> bool:
    """Keep them; whether any were new. No row is ever taken away: what is gone from the log stays as it was counted."""
    if not quarters:
        return False
    rows = json.dumps([as_row(quarter) for quarter in quarters], default=str)
    return connection.execute(SAVE, {"workspace": workspace_id, "rows": rows}).rowcount > 0


def follow(connection: Connection, workspace_id: uuid.UUID, since: dt.datetime) -> bool:
    """Bring up to date what became of alerts that opened from the quarter `since` to the end of its UTC day; whether
    there was anything new."""
    _, end = utc(since.astimezone(dt.UTC).date())
    return connection.execute(FOLLOW, within(connection, workspace_id, since, end)).rowcount > 0
