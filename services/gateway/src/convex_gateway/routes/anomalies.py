"""Anomalies: what rules of that type found unusual, with the evidence that their alerts carry."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from convex_common.domain.alert import Alert
from convex_common.domain.role import Role
from convex_common.domain.rule import AlertType
from convex_common.postgres import alerts_query
from convex_gateway.operations import Authorized, Resource
from convex_gateway.pagination import PageAsked, cursor_of, cut
from convex_gateway.shapes.anomalies import AnomalyPage
from convex_gateway.shapes.body import Moment

resource = Resource("analytics")

NUMBERS: Final = ("value", "score", "expected", "low", "high", "confidence")
TEXTS: Final = ("metric", "reason", "why")


@resource.operation("GET", "/analytics/anomalies", role=Role.VIEWER, answer=AnomalyPage)
async def list_anomalies(
    call: Authorized, asked: PageAsked, framework_id: uuid.UUID | None = None, since: Moment | None = None
) -> object:
    """List what was unusual, the newest first."""
    wanted = alerts_query.Filter(framework_id=framework_id, alert_type=AlertType.ANOMALY.value, since=since)
    async with call.transaction() as connection:
        found, _ = await alerts_query.page(
            connection, call.workspace_id, wanted, before=asked.after, count=asked.limit + 1
        )
    items, last = cut(found, asked.limit)
    return {"items": [_told(alert) for alert in items], "next_cursor": cursor_of(last.id if last else None)}


def _told(alert: Alert) -> Mapping[str, Any]:
    context = alert.context
    return {
        "alert_id": alert.id,
        "rule_id": alert.rule_id,
        "rule_name": alert.rule_name,
        "framework_id": alert.framework_id,
        "labels": alert.labels,
        "at": alert.triggered_at,
        "status": alert.status,
        **{name: _number(context.get(name)) for name in NUMBERS},
        **{name: found if isinstance(found := context.get(name), str) else None for name in TEXTS},
    }


def _number(told: object) -> float | None:
    """A number; what a sender wrote there instead is none."""
    return float(told) if isinstance(told, int | float) and not isinstance(told, bool) else None
