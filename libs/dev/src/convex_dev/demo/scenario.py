"""The demo's cast: three frameworks, their series and the rules that watch them."""

from __future__ import annotations

from typing import Any

from convex_dev.demo.series import Series, incident, rhythm, sawtooth, step

CHECKOUT, ORDERS, CAMPAIGN = "Checkout", "Order pipeline", "Summer campaign"

FRAMEWORKS: tuple[dict[str, Any], ...] = (
    {"name": CHECKOUT, "description": "The shop's checkout in two regions", "labels": {"team": "payments"}},
    {"name": ORDERS, "description": "From a paid order to the parcel", "labels": {"team": "fulfilment"}},
    {"name": CAMPAIGN, "description": "Visitors and what they buy", "labels": {"team": "growth"}},
)

CHANNEL: dict[str, Any] = {"kind": "in_app", "name": "Everyone's inbox", "config": {}, "enabled": True}

SERIES = (
    Series(
        CHECKOUT,
        "latency_p95_ms",
        incident(rhythm(180, 40), 2.6, every=50, start=18, length=16),
        labels={"region": "eu"},
    ),
    Series(
        CHECKOUT,
        "latency_p95_ms",
        incident(rhythm(210, 50, phase=30), 2.4, every=70, start=44, length=18),
        labels={"region": "us"},
    ),
    Series(CHECKOUT, "error_rate_percent", incident(lambda _: 0.5, 16, every=40, start=4, length=14), 0.08, decimals=2),
    Series(ORDERS, "queue_depth", sawtooth(20, 900, every=45), 0.02, decimals=0),
    Series(ORDERS, "disk_used_percent", sawtooth(60, 97, every=55, phase=20), 0.002, {"host": "db-1"}),
    Series(ORDERS, "disk_used_percent", sawtooth(60, 94, every=75), 0.002, {"host": "db-2"}),
    Series(
        CAMPAIGN, "conversion_rate_percent", incident(rhythm(3.4, 0.3), 0.4, every=48, start=24, length=15), decimals=2
    ),
    Series(CAMPAIGN, "visitors_per_minute", step(400, 900, every=22), 0.02, decimals=0),
)

RULES: tuple[dict[str, Any], ...] = (
    {
        "framework": CHECKOUT,
        "name": "Checkout fails",
        "metric": "error_rate_percent",
        "condition": "above",
        "threshold_value": 4,
        "clear_value": 2,
        "for_seconds": 2,
        "severity": "critical",
    },
    {
        "framework": CHECKOUT,
        "name": "Checkout is slow",
        "metric": "latency_p95_ms",
        "condition": "above",
        "threshold_value": 350,
        "clear_value": 280,
        "for_seconds": 3,
        "severity": "warning",
    },
    {
        "framework": ORDERS,
        "name": "Orders pile up",
        "metric": "queue_depth",
        "condition": "above",
        "threshold_value": 650,
        "clear_value": 200,
        "for_seconds": 0,
        "severity": "warning",
    },
    {
        "framework": ORDERS,
        "name": "Disk is filling",
        "metric": "disk_used_percent",
        "condition": "above",
        "threshold_value": 90,
        "clear_value": 80,
        "for_seconds": 2,
        "severity": "error",
    },
    {
        "framework": CAMPAIGN,
        "name": "Visitors stop buying",
        "metric": "conversion_rate_percent",
        "condition": "below",
        "threshold_value": 2,
        "clear_value": 2.6,
        "for_seconds": 2,
        "severity": "error",
    },
    {
        "framework": CAMPAIGN,
        "name": "Visitors jump",
        "alert_type": "performance",
        "metric": "visitors_per_minute",
        "condition": "changes_by",
        "change_percentage": 40,
        "severity": "info",
    },
)


def rule_body(rule: dict[str, Any], framework_id: str) -> dict[str, Any]:
    """The rule as the API takes it; notified again after half a minute, since the demo's days are two minutes long."""
    own = {key: value for key, value in rule.items() if key != "framework"}
    return {"framework_id": framework_id, "alert_type": "threshold", "suppression_seconds": 30, **own}
