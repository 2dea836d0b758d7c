"""When a rule fired, and until when: what another setting of it is replayed on."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.domain.replay import Span
from convex_common.ids import floor_at
from convex_common.postgres.database import Connection
from convex_common.postgres.statements import for_gateway

MOST: Final = 20_000
"""Rows of the log that are read of one rule, the newest alerts first."""

# Where the log is gone already, the alert itself tells of one span.
SPANS: Final = """SELECT a.id, a.fingerprint, a.triggered_at, a.resolved_at,
    a.acknowledged_at IS NOT NULL OR coalesce(a.resolution = 'manual', false),
    a.verdicts_useful - a.verdicts_false_alarm, l.event, l.at
FROM alerts a LEFT JOIN alert_log l ON l.workspace_id = a.workspace_id AND l.alert_id = a.id AND l.id >= %(from_id)s
    AND l.event IN ('created', 'reopened', 'resolved')
WHERE a.workspace_id = %(workspace)s AND a.framework_id = %(framework)s AND a.rule_id = %(rule)s
    AND a.id >= %(from_id)s
ORDER BY a.id DESC, l.id LIMIT %(most)s"""

_SPANS: Final = for_gateway(SPANS)


def load(
    connection: Connection, workspace_id: uuid.UUID, framework_id: uuid.UUID, rule_id: uuid.UUID, since: dt.datetime
) -> list[Span]:
    """The spans of the rule's alerts since then, in the order of time."""
    return _spans(connection.execute(SPANS, _which(workspace_id, framework_id, rule_id, since)))


async def find(
    connection: AsyncConnection,
    workspace_id: uuid.UUID,
    framework_id: uuid.UUID,
    rule_id: uuid.UUID,
    since: dt.datetime,
) -> list[Span]:
    """The same, for the gateway."""
    return _spans(await connection.execute(_SPANS, _which(workspace_id, framework_id, rule_id, since)))


def verdict_of(balance: int) -> bool | None:
    """What people say of an alert: more useful than false alarms, fewer, or neither."""
    return None if balance == 0 else balance > 0


def _which(workspace_id: uuid.UUID, framework_id: uuid.UUID, rule_id: uuid.UUID, since: dt.datetime) -> dict[str, Any]:
    return {
        "workspace": workspace_id,
        "framework": framework_id,
        "rule": rule_id,
        "from_id": floor_at(since),
        "most": MOST,
    }


def _spans(rows: Iterable[Any]) -> list[Span]:
    found: dict[uuid.UUID, list[Span]] = {}
    for alert_id, fingerprint, triggered_at, resolved_at, acknowledged, balance, event, at in rows:
        spans = found.setdefault(alert_id, [])

        def span(
            began_at: dt.datetime,
            ended_at: dt.datetime | None,
            *,
            fingerprint: bytes = fingerprint,
            acknowledged: bool = acknowledged,
            balance: int = balance,
        ) -> Span:
            return Span(
                fingerprint=bytes(fingerprint),
                began_at=began_at,
                ended_at=ended_at,
                acknowledged=acknowledged,
                useful=verdict_of(balance),
            )

        if event is None:
            spans.append(span(triggered_at, resolved_at))
        elif event != "resolved":
            spans.append(span(at, None))
        elif spans and spans[-1].ended_at is None:
            spans[-1] = span(spans[-1].began_at, at)
        elif not spans:
            spans.append(span(triggered_at, at))
    return sorted((one for spans in found.values() for one in spans), key=lambda one: one.began_at)
