"""The bars of a workspace's anomaly rules, moved by what people said of their alerts."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any, Final

from psycopg.types.json import Jsonb

from convex_analytics.domain.bars import Judged, Judgement, moved
from convex_analytics.domain.patterns.history import DAYS
from convex_common.domain.audit import Act
from convex_common.domain.bar import Raised
from convex_common.domain.rule import SENSITIVITY
from convex_common.domain.severity import Severity
from convex_common.ids import floor_at
from convex_common.postgres import audit
from convex_common.postgres.database import Connection

ACTOR: Final = "analytics"

RULES: Final = """SELECT id, coalesce(sensitivity, %(sensitivity)s), severity, coalesce(heeds_verdicts, true), raised
FROM rules WHERE workspace_id = %(workspace)s AND alert_type = 'anomaly' AND deleted_at IS NULL ORDER BY id"""

JUDGED: Final = """SELECT rule_id, (context->>'score')::float8, verdicts_useful > verdicts_false_alarm FROM alerts
WHERE workspace_id = %(workspace)s AND id >= %(from_id)s AND id < %(to_id)s AND rule_id = ANY (%(rules)s)
    AND alert_type = 'anomaly' AND verdicts_useful <> verdicts_false_alarm
    AND jsonb_typeof(context->'score') = 'number'"""

# Processors load the configuration again, and whoever changes it waits: the same lock, taken first by both.
CONFIGURE: Final = "UPDATE workspaces SET config_version = config_version + 1 WHERE id = %(workspace)s"

MOVE: Final = """UPDATE rules SET raised = %(raised)s
WHERE workspace_id = %(workspace)s AND id = %(rule)s AND deleted_at IS NULL"""


def move(connection: Connection, workspace_id: uuid.UUID, now: dt.datetime) -> int:
    """Move the bars that are to be moved; how many. Each is on the audit log. `connection` works for the workspace."""
    if not _movable(connection, workspace_id, now):
        return 0
    connection.execute(CONFIGURE, {"workspace": workspace_id})
    # Once more: a person may have changed the rule before the lock was had.
    acts = []
    for rule_id, before, after in _movable(connection, workspace_id, now):
        stored = None if after is None else Jsonb(after.as_json())
        connection.execute(MOVE, {"workspace": workspace_id, "rule": rule_id, "raised": stored})
        told: dict[str, Any] = {name: _told(one) for name, one in (("from", before), ("to", after))}
        acts.append(Act(ACTOR, "rule.bar_moved", f"rule:{rule_id}", told))
    audit.record_now(connection, workspace_id, *acts)
    return len(acts)


def _movable(
    connection: Connection, workspace_id: uuid.UUID, now: dt.datetime
) -> list[tuple[uuid.UUID, Raised | None, Raised | None]]:
    """The rules whose bars are to be moved, with what they are raised by and will be."""
    rules = connection.execute(RULES, {"workspace": workspace_id, "sensitivity": SENSITIVITY}).fetchall()
    if not rules:
        return []
    which = {
        "workspace": workspace_id,
        "rules": [row[0] for row in rules],
        "from_id": floor_at(now - dt.timedelta(days=DAYS)),
        "to_id": floor_at(now),
    }
    judged: dict[uuid.UUID, list[Judged]] = {}
    for rule_id, score, useful in connection.execute(JUDGED, which):
        judged.setdefault(rule_id, []).append(Judged(score, useful))
    found = []
    for rule_id, sensitivity, severity, heeds_verdicts, stored in rules:
        before = Raised.of(stored)
        said = judged.get(rule_id, [])
        after = moved(Judgement(sensitivity, Severity(severity), heeds_verdicts, before, said), now)
        if after != before:
            found.append((rule_id, before, after))
    return found


def _told(raised: Raised | None) -> dict[str, Any] | None:
    return None if raised is None else raised.as_json()
