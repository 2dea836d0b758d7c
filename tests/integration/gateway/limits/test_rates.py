"""Rates as clients meet them: 429 with what it takes to do better, and nobody else is touched."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from convex_common.domain.rate import Rate
from convex_common.metrics import Metrics
from convex_gateway.limits.limiter import RateLimits
from convex_gateway.limits.policies import Kind, Policies, Policy, Scope
from tests.integration.gateway.limits.conftest import Ingest
from tests.support.rest import Api, token_of

pytestmark = pytest.mark.timeout(60)

NEVER = 1e-3


def limits(**bursts: int) -> RateLimits:
    """So many of a kind and workspace, and none come back while a test runs."""
    of_kind = {Kind(kind): (Policy(Kind(kind), Scope.WORKSPACE, Rate(NEVER, burst)),) for kind, burst in bursts.items()}
    return RateLimits(Policies(of_kind), None, Metrics(CollectorRegistry()), hold=0)


def test_reads_and_writes_are_counted_apart(api: Api) -> None:
    api.gateway.limits = limits(read=2, write=1)
    assert api.post("/frameworks", {"name": "x"}).status_code == 201
    refused = api.post("/frameworks", {"name": "y"})
    assert [api.get("/frameworks").status_code for _ in range(3)] == [200, 200, 429]
    assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
    assert refused.headers["retry-after"] == "1000"
    assert refused.headers["ratelimit-policy"] == '"write-workspace";q=1;w=1000'
    assert refused.headers["ratelimit"] == '"write-workspace";r=0;t=1000'
    assert "send less" in refused.json()["detail"]


def test_another_workspace_goes_on(api: Api, elsewhere: uuid.UUID) -> None:
    api.gateway.limits = limits(read=1)
    assert [api.get("/frameworks").status_code for _ in range(2)] == [200, 429]
    assert api.get("/frameworks", token=token_of(elsewhere, "editor", "editor")).status_code == 200


def test_a_429_is_never_kept_for_a_key(api: Api) -> None:
    unlimited = api.gateway.limits
    api.gateway.limits = limits(write=1)
    headers = {"Idempotency-Key": "k"}
    assert api.post("/frameworks", {"name": "x"}).status_code == 201
    assert api.post("/frameworks", {"name": "y"}, headers=headers).status_code == 429
    api.gateway.limits = unlimited
    assert api.post("/frameworks", {"name": "y"}, headers=headers).status_code == 201


def observations(framework: str, count: int) -> list[dict[str, Any]]:
    return [{"framework_id": framework, "metric": "m", "value": n} for n in range(count)]


def test_ingest_counts_events_and_takes_a_list_whole_or_not(limited: Ingest) -> None:
    framework = limited.framework()
    rule = limited.rule(framework)
    assert limited.post("/observations", observations(framework, 60)).status_code == 202
    refused = limited.post("/observations", observations(framework, 41))
    assert (refused.status_code, refused.headers["ratelimit-policy"]) == (429, '"ingest-workspace";q=100;w=100000')
    assert limited.post("/triggers", {"alert_rule_id": rule, "current_value": 1}).status_code == 202
    alert = {"labels": {"alertname": "Disk"}}
    assert limited.post("/ingest/alertmanager/api/v2/alerts", [alert] * 39).status_code == 200
    assert limited.post("/ingest/alertmanager/api/v2/alerts", [alert]).status_code == 429
    assert limited.get("/ingest/alertmanager/api/v2/alerts").status_code == 200, "reading is another thing"


def test_ingest_of_another_workspace_goes_on(limited: Ingest, elsewhere: uuid.UUID) -> None:
    framework = limited.framework()
    assert limited.post("/observations", observations(framework, 100)).status_code == 202
    assert limited.post("/observations", observations(framework, 1)).status_code == 429
    alert = {"labels": {"alertname": "Disk"}}
    there = limited.post("/ingest/alertmanager/api/v2/alerts", [alert], workspace=elsewhere)
    assert there.status_code == 200


def test_every_operation_describes_its_429(limited: Ingest) -> None:
    for path, item in limited.app.openapi()["paths"].items():
        for name, operation in item.items():
            if "security" in operation:
                assert "429" in operation["responses"], (name, path)
