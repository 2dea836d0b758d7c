"""A workspace that has one of everything, and long words in it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from typing import Any

from convex_dev.stack import Stack
from tests.support.eventually import eventually
from tests.support.installation import Workspace, workspace_of
from tests.support.past import give_past

OPEN = 5
"""Alerts that nobody has resolved."""
ORDERS: Mapping[str, Any] = {"metric": "orders", "severity": "info"}
ANOMALY = {**ORDERS, "name": "Orders are unusual", "alert_type": "anomaly", "condition": "changes_by"}
ANOMALY |= {"threshold_value": None}
FORECAST = {**ORDERS, "name": "Orders will be many", "alert_type": "forecast", "threshold_value": 800}
FORECAST |= {"horizon_seconds": 3600}


def furnished(stack: Stack) -> Workspace:
    """Its own rules and those of its past; open alerts, channels that fail, a silence, a key, and metrics."""
    workspace = workspace_of(stack)
    give_past(workspace, dt.datetime.now(dt.UTC), counted_days=30, foretold_days=3)
    shop = workspace.framework("shop")
    rule = workspace.rule(shop, name="Checkout is slow", labels={"team": "shop"})
    long = workspace.rule(workspace.framework("warehouse " * 12), name="W" * 120 + " " + "word " * 15)
    workspace.post("/api/v1/channels", {"kind": "in_app", "name": "Everyone's inbox", "config": {}}, 201)
    workspace.webhook("https://hooks.example.com/" + "way/" * 60)
    workspace.post("/api/v1/observations", list(rhythm(shop)), 202)
    workspace.rule(shop, **ANOMALY)
    workspace.rule(shop, **FORECAST)
    for severity in ("info", "warning", "error", "critical"):
        trigger = {"alert_rule_id": rule, "current_value": 900, "severity": severity, "labels": {"host": severity}}
        workspace.post("/api/v1/triggers", trigger, 202)
    labels = {f"label-{number}": "x" * 300 for number in range(6)}
    workspace.post("/api/v1/triggers", {"alert_rule_id": long, "current_value": 1e9, "labels": labels}, 202)
    silence = {
        "matchers": [{"name": "host", "op": "=", "value": "z" * 200}],
        "ends_at": (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat(),
        "comment": "Maintenance " * 30,
    }
    workspace.post("/api/v1/silences", silence, 201)
    workspace.post("/api/v1/api-keys", {"name": "ingest from the shop", "role": "editor"}, 201)
    return workspace


def rhythm(framework: str, metric: str = "orders") -> Iterator[Mapping[str, Any]]:
    """Six hours of values, one in two minutes, that go up and down; of which the last ones do not."""
    now = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0)
    for ago in range(360, -1, -2):
        value = 500 + 200 * math.sin(ago / 9) + (900 if ago < 8 else 7 * (ago % 4))
        at = (now - dt.timedelta(minutes=ago)).isoformat()
        yield {"framework_id": framework, "metric": metric, "value": value, "labels": {"region": "eu"}, "at": at}


def addressed(workspace: Workspace) -> Mapping[str, str]:
    """Ids of one of each, for the addresses."""
    delivery = eventually(lambda: workspace.get("/api/v1/deliveries")["items"], what="a delivery")[0]
    found = {noun: workspace.get(f"/api/v1/{noun}s")["items"][0]["id"] for noun in ("alert", "rule", "channel")}
    rules = {rule["alert_type"]: rule["id"] for rule in workspace.get("/api/v1/rules")["items"]}
    found |= {"anomaly": rules["anomaly"], "forecast": rules["forecast"]}
    return {**found, "delivery": delivery["id"], "job": workspace.get("/api/v1/jobs")["items"][0]["name"]}
