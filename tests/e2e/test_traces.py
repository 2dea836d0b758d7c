"""One trigger is one trace: in its rows, at the receiver, on the logs, at a collector; and nowhere is a secret."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from websockets.sync.client import ClientConnection, connect

from convex_dev.stack import Stack
from tests.support.eventually import eventually
from tests.support.gateways import live_url
from tests.support.installation import Workspace, workspace_of
from tests.support.receiver import Receiver, Reply
from tests.support.spans import Span, spans_at, tree

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # an example of the specification
CALLER = "00f067aa0ba902b7"
GATEWAY, PROCESSOR, NOTIFIER = "convex-gateway", "convex-processor", "convex-notifier"
ATTEMPT = [NOTIFIER, "consumer", "process deliveries", [NOTIFIER, "client", "POST"]]
TREE = [
    [
        *[GATEWAY, "server", "POST /api/v1/triggers"],
        [GATEWAY, "client", "INSERT inbox"],
        [GATEWAY, "producer", "send alert", [PROCESSOR, "consumer", "process alert"]],
        [
            *[PROCESSOR, "consumer", "process trigger"],
            ATTEMPT,
            ATTEMPT,
            [PROCESSOR, "producer", "publish live", [GATEWAY, "consumer", "write sockets"]],
            [PROCESSOR, "producer", "send notification"],
        ],
    ]
]
"""Everything that one trigger is, when its webhook refuses the first attempt."""


@pytest.fixture
def collector() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.close()


@pytest.fixture
def workspace(new_stack: Callable[..., Stack], collector: Receiver) -> Workspace:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_RESOURCE_ATTRIBUTES": "k8s.namespace.name=alerts,service.namespace=mine",
        "LOG_LEVEL": "DEBUG",
        "NOTIFIER_BACKOFF_SECONDS": "0.1",
    }
    return workspace_of(new_stack(env=environment))


def test_a_trigger_is_one_trace_and_tells_no_secret(
    workspace: Workspace, collector: Receiver, receiver: Receiver
) -> None:
    stack = workspace.stack
    receiver.script(Reply(status=503))
    workspace.webhook(receiver.url("/hook/cGF0aC1pcy1hLXNlY3JldA?key=cXVlcnktYXMtd2VsbA"), secret=SECRET)
    rule_id = workspace.rule(workspace.framework())
    trace_id = uuid.uuid4().hex
    sockets = {"Authorization": f"Bearer {workspace.token}"}
    with (
        connect(live_url(stack.url), additional_headers=sockets) as one,
        connect(live_url(stack.url), additional_headers=sockets) as other,
    ):
        for socket in (one, other):
            socket.send(json.dumps({"type": "subscribe"}))
            eventually(partial(_has_come, socket, "subscribed"), what="a subscription")
        trigger = {"alert_rule_id": rule_id, "current_value": 200}
        answer = workspace.client.post(
            "/api/v1/triggers", json=trigger, headers={"traceparent": f"00-{trace_id}-{CALLER}-01"}
        )
        assert answer.status_code == 202
        requests = receiver.wait_for_count(2, 20.0)
        eventually(partial(_has_come, one, "alert"), what="the alert's frame")

    with suppress(AssertionError):
        eventually(lambda: tree(_of(collector, trace_id), CALLER) == TREE, within=20.0)
    assert tree(_of(collector, trace_id), CALLER) == TREE
    spans = _of(collector, trace_id)
    _check_the_way_in(spans, spans_at(collector), str(answer.json()["event_ids"][0]), workspace)
    _check_the_ways_out(spans, [request.headers["traceparent"] for request in requests])
    assert {span.resource["k8s.namespace.name"] for span in spans} == {"alerts"}
    assert {span.resource["service.namespace"] for span in spans} == {"mine"}, "the operator's word wins"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+\S*", span.resource["service.version"]) for span in spans)

    for query in ("SELECT traceparent FROM alert_log", "SELECT traceparent FROM deliveries"):
        assert {row["traceparent"].split("-")[1] for row in workspace.rows(query)} == {trace_id}, query
    _check_where_a_person_looks(workspace, trace_id, spans)
    _check_no_secret(workspace, collector)


def _check_the_way_in(spans: Sequence[Span], everywhere: Sequence[Span], event_id: str, workspace: Workspace) -> None:
    """HTTP, the commit, the queue, the batch that worked for it, the decision, the sockets."""
    request, inbox = _one(spans, "POST /api/v1/triggers"), _one(spans, "INSERT inbox")
    assert (
        request.attributes.items()
        >= {
            "http.request.method": "POST",
            "http.route": "/api/v1/triggers",
            "http.response.status_code": 202,
        }.items()
    )
    assert inbox.attributes["db.system.name"] == "postgresql"
    assert inbox.attributes["convex.events"] == 1

    (batch,) = [span for span in everywhere if span.name == "process inbox" and request.traceparent_id in span.links]
    event = _one(spans, "process trigger")
    assert event.links == (batch.traceparent_id,), "the batch points at what came in, the event's span at the batch"
    assert batch.trace_id != event.trace_id
    assert batch.attributes["messaging.batch.message_count"] == 1
    (transaction,) = [span for span in everywhere if span.parent_id == batch.span_id]
    assert transaction.name == "transaction alerts"
    (alert,) = workspace.get("/api/v1/alerts")["items"]
    assert (
        event.attributes.items()
        >= {
            "messaging.message.id": event_id,
            "convex.alert.id": alert["id"],
            "convex.alert.event": "created",
            "convex.notified": True,
        }.items()
    )
    assert batch.began <= event.began <= transaction.began < transaction.ended <= event.ended

    written = _one(spans, "write sockets").attributes
    assert written["convex.sockets.written"] == 2
    assert 0 <= written["convex.slowest_write_ms"] < 1000
    assert 0 <= written["convex.late_ms"] < 10_000
    assert sorted(span.name for span in spans if span.failed) == ["POST", "process deliveries"]


def _check_the_ways_out(spans: Sequence[Span], told: Sequence[str]) -> None:
    """Two attempts, each of which the receiver can point at."""
    first, second = sorted((span for span in spans if span.name == "POST"), key=lambda span: span.began)
    assert [header.split("-")[2] for header in told] == [first.span_id, second.span_id]
    for span, number, status in ((first, 1, 503), (second, 2, 200)):
        assert (
            span.attributes.items()
            >= {
                "convex.attempt": number,
                "http.request.method": "POST",
                "http.response.status_code": status,
                "server.address": "127.0.0.1",
            }.items()
        )
        assert not [name for name in span.attributes if name.startswith("url.") and name != "url.scheme"]
    assert (first.failed, first.attributes["error.type"], second.failed) == (True, "503", False)
    assert "http.request.resend_count" not in first.attributes
    assert second.attributes["http.request.resend_count"] == 1
    deliveries = {span.span_id: span for span in spans if span.name == "process deliveries"}
    outcomes = [deliveries[span.parent_id].attributes["convex.outcome"] for span in (first, second)]
    assert outcomes == ["retry", "delivered"]


def _check_where_a_person_looks(workspace: Workspace, trace_id: str, spans: Sequence[Span]) -> None:
    """From an alert, from a line of the log and from a figure to the trace."""
    stack = workspace.stack
    (alert,) = workspace.get("/api/v1/alerts")["items"]
    timeline = workspace.get(f"/api/v1/alerts/{alert['id']}/timeline")["items"]
    told = {item["kind"]: item.get("trace_id") for item in timeline}
    assert told.items() >= {"log": trace_id, "attempt": trace_id}.items()

    (line,) = eventually(partial(_logged, stack, "notifier", trace_id), what="the attempt on the log")
    assert line.items() >= {"alert_id": alert["id"], "service": "notifier"}.items()
    assert line["span_id"] in {span.span_id for span in spans if span.name == "process deliveries"}
    assert uuid.UUID(line["workspace_id"])

    for service, names in (
        ("processor", {"alert_processing_latency_ms", "queue_wait_seconds", "queue_processing_seconds"}),
        ("notifier", {"queue_wait_seconds", "queue_processing_seconds"}),
    ):
        exemplars = _exemplars(stack, service)
        for name in names:
            assert trace_id in exemplars[name], (service, name)


def _check_no_secret(workspace: Workspace, collector: Receiver) -> None:
    """Careless clients and refused ones included."""
    stack = workspace.stack
    httpx.get(f"{stack.url}/api/v1/me?token={workspace.token}")
    httpx.get(f"{stack.url}/api/v1/me", headers={"Authorization": f"Bearer {workspace.token[:-4]}AAAA"})
    httpx.get(f"{stack.url}/nowhere/{workspace.token}")
    eventually(
        lambda: (
            [span.name for span in spans_at(collector)].count("GET /api/v1/me") >= 2
            and any(span.attributes.get("http.response.status_code") == 404 for span in spans_at(collector))
        ),
        within=15.0,
        what="their spans",
    )
    environment = stack.environment
    secrets = [
        workspace.token,
        SECRET.removeprefix("whsec_"),
        "cGF0aC1pcy1hLXNlY3JldA",
        "cXVlcnktYXMtd2VsbA",
        environment["JWT_SECRET"],
        environment["ENCRYPTION_KEYS"],
    ]
    told = {path.name: path.read_bytes() for path in stack.home.logs.iterdir()}
    told["spans"] = b"".join(request.body for request in collector.received)
    told["supervisor"] = stack.progress().encode()
    assert {request.path for request in collector.received} == {"/v1/traces"}
    for name, content in told.items():
        assert not [secret[:3] for secret in secrets if secret.encode() in content], name


def _has_come(socket: ClientConnection, kind: str) -> bool:
    return bool(json.loads(socket.recv(timeout=5.0))["type"] == kind)


def _of(collector: Receiver, trace_id: str) -> list[Span]:
    return [span for span in spans_at(collector) if span.trace_id == trace_id]


def _one(spans: Sequence[Span], name: str) -> Span:
    (span,) = [span for span in spans if span.name == name]
    return span


def _exemplars(stack: Stack, service: str) -> dict[str, set[str]]:
    """The traces that a service's histograms point at, as Prometheus asks for them."""
    port = json.loads((stack.home.path / "ports.json").read_text())[service]
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(answer.text):  # type: ignore[no-untyped-call]
        for sample in family.samples:
            if sample.exemplar is not None:
                found.setdefault(family.name, set()).add(sample.exemplar.labels["trace_id"])
    return found


def _logged(stack: Stack, service: str, trace_id: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in stack.log(service).splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("trace_id") == trace_id and line["msg"] == "attempt delivered"]
