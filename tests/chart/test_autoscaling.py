"""Autoscalers: by CPU or by what is due, of what the values say, and never in each other's way."""

from __future__ import annotations

import pytest

from tests.chart import scaling
from tests.support.manifests import render

SERVICES = ("gateway", "processor", "notifier", "analytics", "scheduler")
WORKERS = ("processor", "notifier", "analytics")


@pytest.mark.parametrize("component", SERVICES)
def test_every_service_can_be_scaled_by_cpu_and_more(component: str) -> None:
    more = {"type": "External", "external": {"metric": {"name": "x"}, "target": {"type": "Value", "value": "5"}}}
    its = {"enabled": True, "minReplicas": 2, "maxReplicas": 7, "metrics": [more]}
    manifests = render(values={component: {"autoscaling": its}})
    scaler = manifests.one("HorizontalPodAutoscaler", component=component)
    assert (scaler.spec["minReplicas"], scaler.spec["maxReplicas"]) == (2, 7)
    cpu, last = scaler.spec["metrics"]
    assert (cpu["containerResource"]["container"], cpu["containerResource"]["name"]) == (component, "cpu")
    assert cpu["containerResource"]["target"] == {"type": "Utilization", "averageUtilization": 70}
    assert last == more
    assert scaler.spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] >= 300
    assert scaling.badly_scaled(manifests) == []


def test_a_service_can_be_scaled_by_other_than_cpu_alone() -> None:
    more = {"type": "External", "external": {"metric": {"name": "x"}, "target": {"type": "Value", "value": "5"}}}
    its = {"enabled": True, "targetCPUUtilizationPercentage": 0, "metrics": [more]}
    scaler = render(values={"gateway": {"autoscaling": its}}).one("HorizontalPodAutoscaler")
    assert scaler.spec["metrics"] == [more]


@pytest.mark.parametrize("trigger", ["postgresql", "prometheus"])
@pytest.mark.parametrize("component", WORKERS)
def test_every_worker_can_be_scaled_by_what_is_due(component: str, trigger: str) -> None:
    values = {
        component: {"keda": {"enabled": True, "minReplicas": 2, "maxReplicas": 9}},
        "keda": {"trigger": trigger, "prometheus": {"serverAddress": "http://prometheus:9090"}},
    }
    manifests = render(values=values)
    scaled = manifests.one("ScaledObject", component=component)
    assert (scaled.spec["minReplicaCount"], scaled.spec["maxReplicaCount"]) == (2, 9)
    assert [each["type"] for each in scaled.spec["triggers"]] == [trigger]
    assert 2 <= scaled.spec["fallback"]["replicas"] <= 9
    assert not manifests.all("HorizontalPodAutoscaler")
    assert scaling.badly_scaled(manifests) == []
    if trigger == "postgresql":
        authentication = manifests.one("TriggerAuthentication")
        assert scaled.spec["triggers"][0]["authenticationRef"]["name"] == authentication.name
        (reference,) = authentication.spec["secretTargetRef"]
        assert manifests.one("Secret", name=reference["name"]).data[reference["key"]].startswith("postgresql://")


@pytest.mark.parametrize("pods", [1, 2, 5])
@pytest.mark.parametrize("component", SERVICES)
def test_a_budget_is_made_wherever_more_than_one_pod_runs(component: str, pods: int) -> None:
    manifests = render(values={component: {"replicaCount": pods}})
    assert len(manifests.all("PodDisruptionBudget", component=component)) == (1 if pods > 1 else 0)
    assert scaling.blocking(manifests) == []
