"""The past of frameworks by the hour, read from their alerts as they stood at a moment."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Final

import numpy as np

from convex_analytics.domain.foresight.history import DAYS, History, NoisyRule, Recommended
from convex_analytics.moments import bounds
from convex_common.postgres.database import Connection

FRAMEWORKS: Final = """SELECT f.id, least(%(hours)s, ceil(extract(epoch FROM %(as_of)s - f.created_at) / 3600))::int
FROM frameworks f
WHERE f.workspace_id = %(workspace)s AND f.created_at < %(as_of)s AND f.deleted_at IS NULL AND EXISTS (
    SELECT FROM alerts a WHERE a.workspace_id = f.workspace_id AND a.framework_id = f.id
        AND a.id >= %(from_id)s AND a.triggered_at >= %(start)s AND a.triggered_at < %(as_of)s)
    AND NOT EXISTS (
    SELECT FROM prediction_reports r
    WHERE r.workspace_id = f.workspace_id AND r.made_at = %(as_of)s AND r.framework_id = f.id)
ORDER BY f.id"""

# Places are whole hours before `as_of`, 0 being the last one.
OPENED: Final = """SELECT a.framework_id, floor(extract(epoch FROM %(as_of)s - a.triggered_at) / 3600)::int, count(*)
FROM alerts a
WHERE a.workspace_id = %(workspace)s AND a.framework_id = ANY(%(frameworks)s)
    AND a.id >= %(from_id)s AND a.triggered_at >= %(start)s AND a.triggered_at < %(as_of)s
GROUP BY 1, 2"""

# An alert becomes critical once: with the first row of its log that says so. Where that is gone, when it opened.
BECAME_CRITICAL: Final = """(
    SELECT a.framework_id, a.id, coalesce(l.at, a.triggered_at) AS at FROM alerts a
    LEFT JOIN LATERAL (
        SELECT p.at FROM alert_log p
        WHERE p.workspace_id = a.workspace_id AND p.alert_id = a.id AND p.id >= %(from_id)s
            AND convert_from(p.data, 'UTF8')::jsonb->>'severity' = 'critical'
        ORDER BY p.id LIMIT 1) l ON true
    WHERE a.workspace_id = %(workspace)s AND a.severity = 'critical'
        AND (%(frameworks)s::uuid[] IS NULL OR a.framework_id = ANY(%(frameworks)s))
        AND a.last_seen_at >= %(start)s AND a.triggered_at < %(end)s) c"""

CRITICAL: Final = f"""SELECT c.framework_id, floor(extract(epoch FROM %(as_of)s - c.at) / 3600)::int, count(*)
FROM {BECAME_CRITICAL} WHERE c.at >= %(start)s AND c.at < %(as_of)s GROUP BY 1, 2"""  # noqa: S608 - of our own text

RULES: Final = """SELECT a.framework_id, a.rule_name, count(*) FROM alerts a
WHERE a.workspace_id = %(workspace)s AND a.framework_id = ANY(%(frameworks)s)
    AND a.triggered_at >= %(as_of)s - interval '7 days' AND a.triggered_at < %(as_of)s
GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2"""


def frameworks(connection: Connection, workspace_id: uuid.UUID, as_of: dt.datetime) -> list[tuple[uuid.UUID, int]]:
    """Those that had an alert within the time that is looked back, and of which nothing is foretold yet; each with the
    hours that are known of it."""
    return [(row[0], row[1]) for row in connection.execute(FRAMEWORKS, _which(workspace_id, [], as_of))]


def load(
    connection: Connection, workspace_id: uuid.UUID, known: Sequence[tuple[uuid.UUID, int]], as_of: dt.datetime
) -> dict[uuid.UUID, History]:
    """Their histories: nothing that came at `as_of` or later is in them."""
    which = _which(workspace_id, [framework for framework, _ in known], as_of)
    alerts = {framework: np.zeros(hours, dtype=np.int64) for framework, hours in known}
    critical = {framework: np.zeros(hours, dtype=np.int64) for framework, hours in known}
    for counts, statement in ((alerts, OPENED), (critical, CRITICAL)):
        for framework, place, count in connection.execute(statement, which):
            hours = counts[framework]
            if place < len(hours):
                hours[len(hours) - 1 - place] += count
    rules: dict[uuid.UUID, list[NoisyRule]] = {}
    for framework, name, count in connection.execute(RULES, which):
        rules.setdefault(framework, []).append(NoisyRule(name, count))
    recommended = _recommended(connection, which)
    return {
        framework: History(
            as_of,
            alerts[framework],
            critical[framework],
            tuple(rules.get(framework, ())),
            tuple(recommended.get(framework, ())),
        )
        for framework, _ in known
    }


PATTERNS: Final = """SELECT p.framework_id, p.kind, p.recommendation->>'action' FROM patterns p
WHERE p.workspace_id = %(workspace)s AND p.framework_id = ANY(%(frameworks)s) AND p.status = 'open'
    AND p.recommendation->>'action' IS NOT NULL
ORDER BY p.confidence DESC, p.id"""


def _recommended(connection: Connection, which: dict[str, object]) -> dict[uuid.UUID, list[Recommended]]:
    found: dict[uuid.UUID, list[Recommended]] = {}
    for framework, kind, action in connection.execute(PATTERNS, which):
        found.setdefault(framework, []).append(
            Recommended(f"A pattern of the kind {kind.replace('_', ' ')} was found.", action)
        )
    return found


def _which(workspace_id: uuid.UUID, asked: Sequence[uuid.UUID], as_of: dt.datetime) -> dict[str, object]:
    start = as_of - dt.timedelta(days=DAYS)
    return {
        "workspace": workspace_id,
        "frameworks": list(asked),
        "as_of": as_of,
        "hours": DAYS * 24,
        **bounds(start, as_of),
    }
