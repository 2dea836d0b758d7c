"""Predictions as they are kept: saved once for a moment, and scored when their time is over."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from psycopg.types.json import Jsonb

from convex_analytics.alert_past import BECAME_CRITICAL
from convex_analytics.domain.foresight.foresight import Report
from convex_analytics.moments import bounds
from convex_common.postgres.database import Connection

SAVE_REPORT: Final = """INSERT INTO prediction_reports
    (workspace_id, framework_id, made_at, evidence, reasoning, actions)
VALUES (%(workspace)s, %(framework)s, %(made_at)s, %(evidence)s, %(reasoning)s, %(actions)s)
ON CONFLICT (workspace_id, made_at, framework_id) DO NOTHING"""

SAVE: Final = """INSERT INTO predictions (workspace_id, framework_id, made_at, kind, horizon_seconds, due_at,
    probability, risk, expected_at, expected_from, expected_to, threshold, reason)
VALUES (%(workspace)s, %(framework)s, %(made_at)s, %(kind)s, %(horizon)s, %(due_at)s, %(probability)s, %(risk)s,
    %(expected_at)s, %(expected_from)s, %(expected_to)s, %(threshold)s, %(reason)s)
ON CONFLICT (workspace_id, made_at, framework_id, kind, horizon_seconds) DO NOTHING"""

# A framework that is gone has no future: what was foretold of it is neither right nor wrong.
FORGET: Final = """DELETE FROM predictions p WHERE p.workspace_id = %(workspace)s AND p.scored_at IS NULL
    AND NOT EXISTS (SELECT FROM frameworks f WHERE f.workspace_id = p.workspace_id AND f.id = p.framework_id
            AND f.deleted_at IS NULL)"""

OLDEST: Final = """SELECT min(made_at) FROM predictions
WHERE workspace_id = %(workspace)s AND scored_at IS NULL"""

_OPEN: Final = """p.workspace_id = %(workspace)s AND p.scored_at IS NULL AND p.happened_at IS NULL
    AND p.made_at < %(end)s"""

ALERTED: Final = f"""UPDATE predictions p SET happened_at = h.at FROM (
    SELECT p.framework_id, p.made_at, p.horizon_seconds, min(a.triggered_at) AS at
    FROM predictions p JOIN alerts a ON a.workspace_id = p.workspace_id AND a.framework_id = p.framework_id
        AND a.id >= %(from_id)s AND a.triggered_at >= p.made_at AND a.triggered_at < least(p.due_at, %(end)s)
    WHERE {_OPEN} AND p.kind = 'next_alert' GROUP BY 1, 2, 3) h
WHERE {_OPEN} AND p.kind = 'next_alert'
    AND (p.framework_id, p.made_at, p.horizon_seconds) = (h.framework_id, h.made_at, h.horizon_seconds)"""  # noqa: S608

# Hours are counted from when it was foretold, as they were when its threshold was found.
UNUSUAL: Final = f"""UPDATE predictions p SET happened_at = h.at FROM (
    SELECT n.framework_id, n.made_at, n.horizon_seconds, n.made_at + min(n.place) * interval '1 hour' AS at FROM (
        SELECT p.framework_id, p.made_at, p.horizon_seconds, p.threshold,
               floor(extract(epoch FROM a.triggered_at - p.made_at) / 3600)::int AS place, count(*) AS alerts
        FROM predictions p JOIN alerts a ON a.workspace_id = p.workspace_id AND a.framework_id = p.framework_id
            AND a.id >= %(from_id)s AND a.triggered_at >= p.made_at AND a.triggered_at < least(p.due_at, %(end)s)
        WHERE {_OPEN} AND p.kind = 'anomaly' GROUP BY 1, 2, 3, 4, 5) n
    WHERE n.alerts > n.threshold GROUP BY 1, 2, 3) h
WHERE {_OPEN} AND p.kind = 'anomaly'
    AND (p.framework_id, p.made_at, p.horizon_seconds) = (h.framework_id, h.made_at, h.horizon_seconds)"""  # noqa: S608

ESCALATED: Final = f"""WITH became AS MATERIALIZED (SELECT c.framework_id, c.at FROM {BECAME_CRITICAL})
UPDATE predictions p SET happened_at = h.at FROM (
    SELECT p.framework_id, p.made_at, p.horizon_seconds, min(b.at) AS at
    FROM predictions p JOIN became b ON b.framework_id = p.framework_id
        AND b.at >= p.made_at AND b.at < least(p.due_at, %(end)s)
    WHERE {_OPEN} AND p.kind = 'escalation' GROUP BY 1, 2, 3) h
WHERE {_OPEN} AND p.kind = 'escalation'
    AND (p.framework_id, p.made_at, p.horizon_seconds) = (h.framework_id, h.made_at, h.horizon_seconds)"""  # noqa: S608

SCORE: Final = """UPDATE predictions SET scored_at = clock_timestamp(),
    brier = (probability - (happened_at IS NOT NULL)::int) ^ 2,
    was_accurate = (probability >= 0.5) = (happened_at IS NOT NULL)
WHERE workspace_id = %(workspace)s AND scored_at IS NULL AND due_at <= %(end)s"""


def save(
    connection: Connection, workspace_id: uuid.UUID, made_at: dt.datetime, reports: Mapping[uuid.UUID, Report]
) -> int:
    """How many predictions were new; what is on record for that moment stays as it is."""
    with connection.cursor() as cursor:
        cursor.executemany(
            SAVE_REPORT,
            [
                {
                    "workspace": workspace_id,
                    "framework": framework,
                    "made_at": made_at,
                    "evidence": Jsonb(asdict(report.evidence)),
                    "reasoning": Jsonb(list(report.reasoning)),
                    "actions": Jsonb(list(report.actions)),
                }
                for framework, report in reports.items()
            ],
        )
        cursor.executemany(
            SAVE,
            [
                {"workspace": workspace_id, "framework": framework, "made_at": made_at, **row}
                for framework, report in reports.items()
                for row in _rows(report, made_at)
            ],
        )
        return cursor.rowcount


def settle(connection: Connection, workspace_id: uuid.UUID, now: dt.datetime) -> int:
    """Note what has come true before `now`, and score what is due by then; how many were scored."""
    which: dict[str, Any] = {"workspace": workspace_id}
    connection.execute(FORGET, which)
    oldest = connection.execute(OLDEST, which).fetchone()
    if oldest is None or oldest[0] is None:
        return 0
    which |= {**bounds(oldest[0], now), "frameworks": None}
    for statement in (ALERTED, UNUSUAL, ESCALATED):
        connection.execute(statement, which)
    return connection.execute(SCORE, which).rowcount


def _rows(report: Report, made_at: dt.datetime) -> list[dict[str, Any]]:
    return [
        {
            "kind": one.kind.value,
            "horizon": int(one.horizon.total_seconds()),
            "due_at": made_at + one.horizon,
            "probability": one.probability,
            "risk": one.risk.value,
            "expected_at": one.expected_at,
            "expected_from": one.expected_from,
            "expected_to": one.expected_to,
            "threshold": one.threshold,
            "reason": one.reason,
        }
        for one in report.predictions
    ]
