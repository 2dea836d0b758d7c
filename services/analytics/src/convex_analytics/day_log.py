"""A day of one workspace's alert log, read once and counted by the database; and its statistics, saved."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from psycopg.types.json import Jsonb

from convex_analytics.domain.daily import FrameworkDay, Occurrences, Response, Took
from convex_analytics.domain.quarters import Decisions, Opened, Responses
from convex_analytics.feed_range import WITHIN, within
from convex_common.domain.durations import GROWTH, SHORTEST
from convex_common.postgres.database import Connection

QUARTER: Final = "date_bin('15 minutes', {}, '2000-01-01T00:00:00Z')"
JUDGED: Final = "a.verdicts_useful + a.verdicts_false_alarm > 0"
FALSE_ALARM: Final = "a.verdicts_false_alarm > a.verdicts_useful"
"""A tie of verdicts is no false alarm."""

_HAPPENED: Final = f"""SELECT l.alert_id, l.framework_id, l.at AS moment, {QUARTER.format("l.at")} AS at, l.event,
    l.reason, l.count,
    CASE WHEN l.event = 'created' THEN convert_from(l.data, 'UTF8')::json->>'severity' END AS severity,
    CASE WHEN l.event IN ('created', 'updated', 'suppressed', 'escalated', 'reopened')
        THEN coalesce((convert_from(l.detail, 'UTF8')::json->>'notified')::boolean, false) END AS notified
FROM alert_log l WHERE {WITHIN}"""  # noqa: S608 - made of our own text

_OF_ALERT: Final = """SELECT convert_from(l.data, 'UTF8')::json AS alert FROM alert_log l
WHERE l.workspace_id = %(workspace)s AND l.alert_id = e.alert_id AND l.id < %(to_id)s"""
_ON_DAY: Final = "l.id >= %(from_id)s AND l.at >= %(start)s AND l.at < %(end)s"

# Each alert is looked up once. Of one that retention took, the day's log tells what never changes.
_ALERTS: Final = f"""SELECT e.*, a.id, a.acknowledged_at, a.status = 'resolved' AS ended, {JUDGED} AS judged,
    {FALSE_ALARM} AS false_alarm, coalesce(a.alert_type, p.alert->>'alert_type') AS alert_type,
    coalesce(a.rule_id::text, p.alert->>'rule_id') AS rule_id,
    coalesce(a.triggered_at, (p.alert->>'triggered_at')::timestamptz) AS triggered_at,
    CASE WHEN a.last_seen_at < %(end)s THEN a.occurrences END AS occurrences
FROM (SELECT alert_id, framework_id,
        bool_or(event IN ('acknowledged', 'resolved', 'reopened', 'judged')) AS became
    FROM happened GROUP BY 1, 2) e
LEFT JOIN alerts a ON a.workspace_id = %(workspace)s AND a.id = e.alert_id
LEFT JOIN LATERAL ({_OF_ALERT} AND {_ON_DAY} AND a.id IS NULL ORDER BY l.id LIMIT 1) p ON true"""  # noqa: S608

_ANSWERED: Final = """SELECT h.framework_id, h.at, h.event,
    greatest(0, extract(epoch FROM h.moment - e.triggered_at))::float8 AS seconds
FROM happened h JOIN episodes e ON e.alert_id = h.alert_id WHERE h.event IN ('acknowledged', 'resolved')"""

_OPENED: Final = """SELECT 'opened', g.framework_id, g.at, json_agg(json_build_array(g.severity, g.alert_type,
    g.rule_id, g.alerts, g.followed, g.answered, g.ended, g.judged, g.false_alarms))
FROM (SELECT h.framework_id, h.at, h.severity, e.alert_type, e.rule_id, count(*) AS alerts, count(e.id) AS followed,
        count(e.acknowledged_at) AS answered, count(*) FILTER (WHERE e.ended) AS ended,
        count(*) FILTER (WHERE e.judged) AS judged, count(*) FILTER (WHERE e.false_alarm) AS false_alarms
    FROM happened h JOIN episodes e ON e.alert_id = h.alert_id WHERE h.event = 'created' GROUP BY 1, 2, 3, 4, 5) g
GROUP BY 2, 3"""

# Milliseconds are whole numbers: their sum does not depend on the order in which they are added.
_RESPONSES: Final = f"""SELECT 'responses', g.framework_id, g.at, json_build_array(g.event, sum(g.count),
    sum(g.milliseconds), json_object_agg(g.bucket, g.count))
FROM (SELECT framework_id, at, event, ceil(ln(greatest(seconds, {SHORTEST})) / ln({GROWTH}::float8))::int AS bucket,
        count(*) AS count, sum(round(seconds * 1000))::bigint AS milliseconds
    FROM answered GROUP BY 1, 2, 3, 4) g
GROUP BY 2, 3, g.event"""  # noqa: S608 - made of our own text

_DECISIONS: Final = """SELECT 'decisions', framework_id, at,
    json_build_array(event, reason, notified, count(*), sum(count))
FROM happened WHERE notified IS NOT NULL GROUP BY 2, 3, event, reason, notified"""

# An alert's occurrences only grow, and each row of the log has what they were after it: the day's are the last row's,
# less those of the last row before the day. Where that is gone from the log, less those of the day's first row. Where
# none came after the day, the last row's are the alert's own.
_OCCURRENCES: Final = f"""SELECT 'occurrences', e.framework_id, NULL::timestamptz, to_json(sum(
    coalesce(e.occurrences, (last.alert->>'occurrences')::bigint)
    - coalesce((coalesce(before.alert, first.alert)->>'occurrences')::bigint, 0)))
FROM episodes e
LEFT JOIN LATERAL ({_OF_ALERT} AND {_ON_DAY} AND e.occurrences IS NULL ORDER BY l.id DESC LIMIT 1) last ON true
LEFT JOIN LATERAL ({_OF_ALERT} AND l.at < %(start)s AND e.triggered_at < %(start)s ORDER BY l.id DESC LIMIT 1) before
    ON true
LEFT JOIN LATERAL ({_OF_ALERT} AND {_ON_DAY} AND e.triggered_at < %(start)s AND before.alert IS NULL
    ORDER BY l.id LIMIT 1) first ON true
GROUP BY 2"""  # noqa: S608 - made of our own text

# PostgreSQL keeps microseconds, and whole ones have one sum.
_TOOK: Final = """SELECT 'took', framework_id, NULL, json_build_array(event, count(*),
    sum(round(seconds * 1000000)::bigint) / 1000000 / count(*),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds), percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds))
FROM answered GROUP BY 2, event"""

# Days before this one whose alerts were answered, ended or judged in it: what became of them has changed. Of an alert
# that is gone nothing more becomes.
_TOUCHED: Final = f"""SELECT 'touched', NULL, {QUARTER.format("min(triggered_at)")}, NULL FROM episodes
WHERE became AND id IS NOT NULL AND triggered_at < %(start)s GROUP BY (triggered_at AT TIME ZONE 'UTC')::date"""  # noqa: S608 - made of our own text

DAY: Final = f"""WITH happened AS MATERIALIZED ({_HAPPENED}), episodes AS MATERIALIZED ({_ALERTS}),
    answered AS MATERIALIZED ({_ANSWERED})
{_OPENED} UNION ALL {_RESPONSES} UNION ALL {_DECISIONS} UNION ALL {_OCCURRENCES} UNION ALL {_TOOK}
UNION ALL {_TOUCHED}"""

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
    """What happened in a workspace on one UTC day. `touched` are quarters of earlier days: from there to the end of
    their day, something became of alerts that opened then."""

    opened: list[Opened] = field(default_factory=list)
    responses: list[Responses] = field(default_factory=list)
    decisions: list[Decisions] = field(default_factory=list)
    occurrences: list[Occurrences] = field(default_factory=list)
    took: list[Took] = field(default_factory=list)
    touched: list[dt.datetime] = field(default_factory=list)


def load(connection: Connection, workspace_id: uuid.UUID, day: dt.date) -> DayLog:
    """Read the day. `connection` works for the workspace."""
    start, end = utc(day)
    which = within(connection, workspace_id, start, end)
    found = DayLog()
    take: dict[str, Callable[[uuid.UUID, dt.datetime, Any], None]] = {
        "opened": lambda framework, at, facts: found.opened.extend(Opened(framework, at, *one) for one in facts),
        "responses": lambda framework, at, facts: found.responses.append(Responses(framework, at, *facts)),
        "decisions": lambda framework, at, facts: found.decisions.append(Decisions(framework, at, *facts)),
        "occurrences": lambda framework, _, count: found.occurrences.append(Occurrences(framework, count)),
        "took": lambda framework, _, facts: found.took.append(Took(framework, Response(facts[0]), *facts[1:])),
        "touched": lambda _, at, __: found.touched.append(at),
    }
    for part, framework_id, at, facts in connection.execute(DAY, which):
        take[part](framework_id, at, facts)
    return found


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


def utc(day: dt.date) -> tuple[dt.datetime, dt.datetime]:
    """When a UTC day begins and ends."""
    start = dt.datetime.combine(day, dt.time(), dt.UTC)
    return start, start + dt.timedelta(days=1)
