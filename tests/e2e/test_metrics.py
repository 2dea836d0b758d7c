"""What each service tells Prometheus, after some traffic: the contract's names, plausible numbers, no lint."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from functools import partial
from typing import Final

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from convex_dev.stack import Stack
from tests.support.debian import program_or_skip
from tests.support.eventually import eventually
from tests.support.gateways import live_url
from tests.support.installation import Workspace
from tests.support.receiver import Receiver

EXEMPT: Final = {
    "alert_processing_latency_ms metric names should not contain abbreviated units",
    'queue_job_count non-histogram and non-summary metrics should not have "_count" suffix',
}
"""The specification's names, which stay as they are."""
LATENCY_BUCKETS: Final = ["5", "10", "20", "30", "50", "75", "100", "150", "250", "500", "1000", "2500", "5000", "+Inf"]
EXPECTED: Final[Mapping[str, set[str]]] = {
    "gateway": {
        "alert_response_seconds_count",
        "cache_hit_rate_percent",
        "cache_hits_total",
        "cache_misses_total",
        "http_request_seconds_count",
        "store_up",
        "websocket_connections_active",
        "websocket_errors_total",
        "websocket_messages_received_total",
        "websocket_messages_sent_total",
        "websocket_subscriptions_active",
    },
    "processor": {
        "alert_processing_errors_total",
        "alert_processing_latency_ms_count",
        "alerts_processed_total",
        "store_up",
        "queue_processing_seconds_count",
        "queue_wait_seconds_count",
    },
    "notifier": {
        "notification_delivery_seconds_count",
        "notifications_sent_total",
        "notifications_undelivered_total",
        "queue_processing_seconds_count",
        "queue_wait_seconds_count",
        "store_up",
    },
    "analytics": {"queue_processing_seconds_count", "queue_wait_seconds_count", "store_up"},
    "scheduler": {
        "database_clock_offset_seconds",
        "database_snapshot_held_seconds",
        "installation_read_timestamp_seconds",
        "oldest_due_seconds",
        "partition_end_timestamp_seconds",
        "queue_job_count",
        "scheduled_job_overdue_seconds",
        "scheduled_job_last_success_timestamp_seconds",
        "scheduled_job_runs_total",
        "system_health_score",
    },
}
STORES: Final = {
    "gateway": ("postgres", "redis", "cache"),
    "processor": ("postgres", "redis", "cache"),
    "notifier": ("postgres", "redis"),
    "analytics": ("postgres", "redis"),
    "scheduler": ("postgres", "cache"),
}
"""What each has called within a minute, whether or not there was work."""
TRIGGERS: Final = 12
Labels = frozenset[tuple[str, str]]


class Scrape:
    """What one service exposes."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._values: dict[str, dict[Labels, float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self._values.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value

    @property
    def names(self) -> set[str]:
        return set(self._values)

    def labels(self, name: str) -> list[dict[str, str]]:
        return [dict(labels) for labels in self._values.get(name, {})]

    def sum(self, name: str, **labels: str) -> float:
        """Over all series with these labels."""
        wanted = set(labels.items())
        return sum(value for given, value in self._values.get(name, {}).items() if wanted <= given)


def scrape(stack: Stack, service: str) -> Scrape:
    ports = json.loads((stack.home.path / "ports.json").read_text())
    answer = httpx.get(f"http://127.0.0.1:{ports[service]}/metrics", timeout=10.0)
    assert answer.headers["content-type"].startswith("text/plain")
    return Scrape(answer.text)


def _has_all(stack: Stack, service: str) -> bool:
    return EXPECTED[service] <= scrape(stack, service).names


@pytest.fixture
def traffic(workspace: Workspace, receiver: Receiver) -> dict[str, Scrape]:
    """The scrapes of before, when TRIGGERS triggers have become alerts, deliveries, frames and answers of people."""
    before = {service: scrape(workspace.stack, service) for service in (*EXPECTED, "processor-2")}
    workspace.webhook(receiver.url())
    workspace.post("/api/v1/channels", {"kind": "in_app", "name": "inbox", "config": {}}, 201)
    rule_id = workspace.rule(workspace.framework())
    headers = {"Authorization": f"Bearer {workspace.token}"}
    with connect(live_url(workspace.stack.url), additional_headers=headers) as socket:
        socket.send(json.dumps({"type": "subscribe"}))
        for number in range(TRIGGERS):
            trigger = {"alert_rule_id": rule_id, "current_value": 200, "labels": {"n": str(number)}}
            workspace.post("/api/v1/triggers", trigger, 202)
        receiver.wait_for_count(TRIGGERS, 20.0)
        open_ones = workspace.get("/api/v1/alerts")["items"]
        workspace.post(f"/api/v1/alerts/{open_ones[0]['id']}/acknowledge", None, 200)
        workspace.post(f"/api/v1/alerts/{open_ones[1]['id']}/resolve", {"notes": "over"}, 200)
        eventually(lambda: json.loads(socket.recv(timeout=5.0)).get("event") == "resolved", what="the last frame")
        during = scrape(workspace.stack, "gateway")
        for gauge in ("websocket_connections_active", "websocket_subscriptions_active"):
            assert during.sum(gauge) == before["gateway"].sum(gauge) + 1
        socket.send("no JSON")
        json.loads(socket.recv(timeout=5.0))
    receiver.wait_for_count(TRIGGERS + 1, 20.0)
    return before


def test_names_and_numbers(workspace: Workspace, traffic: dict[str, Scrape]) -> None:
    stack = workspace.stack

    def rise(service: str, name: str, **labels: str) -> float:
        return scrape(stack, service).sum(name, **labels) - traffic[service].sum(name, **labels)

    def processed(name: str, **labels: str) -> float:
        return sum(rise(one, name, **labels) for one in ("processor", "processor-2"))

    for service in EXPECTED:
        eventually(partial(_has_all, stack, service), within=30.0, what=f"every metric of the {service}")
    eventually(lambda: rise("notifier", "notifications_sent_total") >= 2 * (TRIGGERS + 1), what="every attempt counted")
    assert rise("notifier", "notifications_sent_total", channel="webhook", status="delivered") == TRIGGERS + 1
    assert rise("notifier", "notifications_sent_total", channel="in_app", status="delivered") == TRIGGERS + 1
    assert rise("notifier", "notification_delivery_seconds_count", channel="webhook") == TRIGGERS + 1
    assert rise("notifier", "notifications_undelivered_total") == 0
    assert rise("gateway", "http_request_seconds_count", route="ingest", status="2xx") == TRIGGERS
    for service, stores in STORES.items():
        known = scrape(stack, service)
        assert all(known.sum("store_up", store=store) == 1 for store in stores), service
    for action in ("acknowledge", "resolve"):
        assert {"action": action} in traffic["gateway"].labels("alert_response_seconds_count"), "from the start"
        assert rise("gateway", "alert_response_seconds_count", action=action) == 1
        assert 0 < rise("gateway", "alert_response_seconds_sum", action=action) < 60
    assert rise("gateway", "websocket_messages_received_total") >= 2
    assert rise("gateway", "websocket_messages_sent_total") >= 3
    assert rise("gateway", "websocket_connections_active") == 0

    count, total = processed("alert_processing_latency_ms_count"), processed("alert_processing_latency_ms_sum")
    assert count == processed("alerts_processed_total") >= TRIGGERS
    assert processed("alert_processing_errors_total") == 0
    assert 0 < total / count < 2000
    assert processed("queue_wait_seconds_sum", queue="alert") < 2 * processed("queue_wait_seconds_count", queue="alert")
    bounds = [
        labels["le"].removesuffix(".0")
        for labels in scrape(stack, "processor").labels("alert_processing_latency_ms_bucket")
    ]
    assert sorted(bounds, key=float) == LATENCY_BUCKETS

    # The scheduler asks the database every few seconds.
    eventually(lambda: rise("scheduler", "queue_job_count", queue="alert", state="completed") >= TRIGGERS, within=30.0)
    states = {"active", "waiting", "delayed", "completed", "failed"}
    told = {(labels["queue"], labels["state"]) for labels in scrape(stack, "scheduler").labels("queue_job_count")}
    assert {
        (queue, state) for queue in ("alert", "notification", "analytics", "prediction") for state in states
    } <= told
    # Each says who it is; global gauges come from the scheduler alone, so that nobody adds them up.
    for service in EXPECTED:
        assert scrape(stack, service).sum("convex_build_info", component=service) == 1
    for service in EXPECTED.keys() - {"scheduler"}:
        assert not EXPECTED["scheduler"] & scrape(stack, service).names, service


def test_promtool_finds_nothing_but_what_is_exempt(stack: Stack) -> None:
    promtool = program_or_skip("promtool")
    for service in EXPECTED:
        text = scrape(stack, service).text
        done = subprocess.run(
            [promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=30, check=False
        )
        assert set(done.stderr.splitlines()) <= EXEMPT, (service, done.stderr)


@pytest.mark.usefixtures("traffic")
def test_no_label_carries_an_id(stack: Stack) -> None:
    for service in EXPECTED:
        found = scrape(stack, service)
        values = {value for name in found.names for labels in found.labels(name) for value in labels.values()}
        assert all(len(value) <= 24 for value in values), (service, values)
