"""One trigger is one trace: in its rows, at the receiver, on the logs, at a collector; and nowhere is a secret."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from convex_dev.stack import Stack
from tests.support.eventually import eventually
from tests.support.installation import Workspace, workspace_of
from tests.support.receiver import Receiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # an example of the specification
SERVICES = {"convex-gateway", "convex-processor", "convex-notifier"}


@pytest.fixture
def collector() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.close()


@pytest.fixture
def workspace(new_stack: Callable[..., Stack], collector: Receiver) -> Workspace:
    exporter = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}", "OTEL_BSP_SCHEDULE_DELAY": "200"}
    return workspace_of(new_stack(env={**exporter, "LOG_LEVEL": "DEBUG"}))


def test_a_trigger_is_one_trace_and_tells_no_secret(
    workspace: Workspace, collector: Receiver, receiver: Receiver
) -> None:
    workspace.webhook(receiver.url(), secret=SECRET)
    rule_id = workspace.rule(workspace.framework())
    trace_id = uuid.uuid4().hex
    workspace.client.headers["traceparent"] = f"00-{trace_id}-00f067aa0ba902b7-01"
    workspace.post("/api/v1/triggers", {"alert_rule_id": rule_id, "current_value": 200}, 202)
    (request,) = receiver.wait_for_count(1, 20.0)
    assert request.headers["traceparent"].split("-")[1] == trace_id

    for query in ("SELECT traceparent FROM alert_log", "SELECT traceparent FROM deliveries"):
        assert {row["traceparent"].split("-")[1] for row in workspace.rows(query)} == {trace_id}, query
    eventually(
        lambda: _services(collector, trace_id) >= SERVICES, within=15.0, what="the trace's spans of three services"
    )
    logged = eventually(partial(_logged, workspace.stack, "notifier", trace_id), what="the attempt on the log")
    (alert,) = workspace.get("/api/v1/alerts")["items"]
    assert logged[0].items() >= {"alert_id": alert["id"], "service": "notifier"}.items()
    assert uuid.UUID(logged[0]["workspace_id"])

    # Careless clients and refused ones, too.
    httpx.get(f"{workspace.stack.url}/api/v1/me?token={workspace.token}")
    httpx.get(f"{workspace.stack.url}/api/v1/me", headers={"Authorization": f"Bearer {workspace.token[:-4]}AAAA"})
    eventually(lambda: _spans(collector).count("GET /api/v1/me") >= 2, within=15.0, what="their spans")
    environment = workspace.stack.environment
    secrets = [
        workspace.token,
        SECRET.removeprefix("whsec_"),
        environment["JWT_SECRET"],
        environment["ENCRYPTION_KEYS"],
    ]
    told = {path.name: path.read_bytes() for path in workspace.stack.home.logs.iterdir()}
    told["spans"] = b"".join(request.body for request in collector.received)
    told["supervisor"] = workspace.stack.progress().encode()
    assert {request.path for request in collector.received} == {"/v1/traces"}
    for name, content in told.items():
        assert not [secret[:3] for secret in secrets if secret.encode() in content], name


def _spans(collector: Receiver) -> list[str]:
    """The names of the spans that came so far."""
    exports = [ExportTraceServiceRequest.FromString(request.body) for request in collector.at("/v1/traces")]
    resources = [resource for export in exports for resource in export.resource_spans]
    return [span.name for resource in resources for scope in resource.scope_spans for span in scope.spans]


def _services(collector: Receiver, trace_id: str) -> set[str]:
    """The services that have sent spans of this trace."""
    found: set[str] = set()
    for request in collector.at("/v1/traces"):
        for resource in ExportTraceServiceRequest.FromString(request.body).resource_spans:
            spans = [span for scope in resource.scope_spans for span in scope.spans]
            if any(span.trace_id.hex() == trace_id for span in spans):
                found |= {one.value.string_value for one in resource.resource.attributes if one.key == "service.name"}
    return found


def _logged(stack: Stack, service: str, trace_id: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in stack.log(service).splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("trace_id") == trace_id and line["msg"] == "attempt delivered"]
