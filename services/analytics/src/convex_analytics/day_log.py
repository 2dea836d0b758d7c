"""A day of one workspace's alert log, read; and its statistics, saved."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg.types.json import Jsonb

from convex_analytics.domain.daily import FrameworkDay, Occurrences, Opened, Responded, Response
from convex_analytics.moments import bounds
from convex_common.postgres.database import Connection

_OF_DAY: Final = """l.workspace_id = %(workspace)s AND l.id >= %(from_id)s AND l.id < %(to_id)s
    AND l.at >= %(start)s AND l.at < %(end)s"""

OPENED: Final = f"""SELECT d.framework_id, d.alert->>'severity', d.alert->>'alert_type', count(*)
FROM (SELECT l.framework_id, convert_from(l.data, 'UTF8')::jsonb AS alert
      FROM alert_log l WHERE {_OF_DAY} AND l.event = 'created') d
GROUP BY 1, 2, 3"""  # noqa: S608 - made of our own text

# An alert's occurrences only grow, and each row of the log has what they were after it: the day's are the last row's,
# less those of the last row before the day. Where that is gone from the log, less those of the day's first row.
OCCURRENCES: Final = f"""SELECT d.framework_id, sum(d.after - coalesce(b.occurrences, d.before))::bigint
FROM (SELECT l.alert_id, l.framework_id,
             max(s.occurrences) AS after,
             CASE WHEN bool_or(l.event = 'created') THEN 0 ELSE min(s.occurrences) END AS before
      FROM alert_log l,
           LATERAL (SELECT (convert_from(l.data, 'UTF8')::jsonb->>'occurrences')::bigint AS occurrences) s
      WHERE {_OF_DAY} GROUP BY 1, 2) d
LEFT JOIN LATERAL (
    SELECT (convert_from(p.data, 'UTF8')::jsonb->>'occurrences')::bigint AS occurrences
    FROM alert_log p
    WHERE p.workspace_id = %(workspace)s AND p.alert_id = d.alert_id AND p.id < %(to_id)s AND p.at < %(start)s
    ORDER BY p.id DESC LIMIT 1) b ON d.before > 0
GROUP BY 1"""  # noqa: S608 - made of our own text

RESPONSES: Final = f"""SELECT l.framework_id, l.event,
    extract(epoch FROM l.at - (convert_from(l.data, 'UTF8')::jsonb->>'triggered_at')::timestamptz)::float8
FROM alert_log l WHERE {_OF_DAY} AND l.event IN ('acknowledged', 'resolved')"""  # noqa: S608 - made of our own text

# A recomputed day that is the same stays as it was, computed_at included.
SAVE: Final = """INSERT INTO alert_statistics AS s (workspace_id, framework_id, day, alerts, occurrences, acknowledged,
    resolved, by_severity, by_type, acknowledge_seconds, resolve_seconds)
VALUES (%(workspace)s, %(framework)s, %(day)s, %(alerts)s, %(occurrences)s, %(acknowledged)s, %(resolved)s,
    %(by_severity)s, %(by_type)s, %(acknowledge_seconds)s, %(resolve_seconds)s)
ON CONFLICT (workspace_id, framework_id, day) DO UPDATE SET
    alerts = excluded.alerts, occurrences = excluded.occurrences, acknowledged = excluded.acknowledged,
    resolved = excluded.resolved, by_severity = excluded.by_severity, by_type = excluded.by_type,
    acknowledge_seconds = excluded.acknowledge_seconds, resolve_seconds = excluded.resolve_seconds,
    computed_at = excluded.computed_at
WHERE (s.alerts, s.occurrences, s.acknowledged, s.resolved, s.by_severity, s.by_type,
       s.acknowledge_seconds, s.resolve_seconds)
    IS DISTINCT FROM (excluded.alerts, excluded.occurrences, excluded.acknowledged, excluded.resolved,
       excluded.by_severity, excluded.by_type, excluded.acknowledge_seconds, excluded.resolve_seconds)"""


@dataclass(frozen=True, slots=True)
class DayLog:
    """What happened in a workspace on one UTC day."""

    opened: Sequence[Opened]
    occurrences: Sequence[Occurrences]
    responses: Sequence[Responded]


def load(connection: Connection, workspace_id: uuid.UUID, day: dt.date) -> DayLog:
    """Read the day. `connection` works for the workspace."""
    which = of_day(workspace_id, day)
    return DayLog(
        opened=[Opened(*row) for row in connection.execute(OPENED, which)],
        occurrences=[Occurrences(*row) for row in connection.execute(OCCURRENCES, which)],
        responses=[Responded(row[0], Response(row[1]), row[2]) for row in connection.execute(RESPONSES, which)],
    )


def save(connection: Connection, workspace_id: uuid.UUID, day: dt.date, frameworks: Sequence[FrameworkDay]) -> bool:
    """Store the day's figures; whether any were new. Frameworks on which nothing happened have no row, and no row is
    ever taken away: a day whose log is gone keeps what was computed of it."""
    if not frameworks:
        return False
    with connection.cursor() as cursor:
        cursor.executemany(
            SAVE,
            [
                {
                    "workspace": workspace_id,
                    "framework": one.framework_id,
                    "day": day,
                    "alerts": one.alerts,
                    "occurrences": one.occurrences,
                    "acknowledged": one.acknowledged,
                    "resolved": one.resolved,
                    "by_severity": Jsonb(dict(one.by_severity)),
                    "by_type": Jsonb(dict(one.by_type)),
                    "acknowledge_seconds": Jsonb(one.acknowledge_seconds.as_json()),
                    "resolve_seconds": Jsonb(one.resolve_seconds.as_json()),
                }
                for one in frameworks
            ],
        )
        return cursor.rowcount > 0


def of_day(workspace_id: uuid.UUID, day: dt.date) -> dict[str, Any]:
    """The parameters of a statement about a UTC day."""
    start = dt.datetime.combine(day, dt.time(), dt.UTC)
    end = start + dt.timedelta(days=1)
    return {"workspace": workspace_id, **bounds(start, end)}
