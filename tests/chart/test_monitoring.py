"""Rules, dashboards and monitors: in the cluster is what the files say, if the cluster knows what to do with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.support.manifests import CHART, OPERATORS, Manifests, render

RULES = sorted((CHART / "files" / "rules").glob("*.yaml"))
DASHBOARDS = sorted((CHART / "files" / "dashboards").glob("*.json"))
INSISTED = {"metrics": {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}}


def groups(manifests: Manifests) -> dict[str, Any]:
    """Every group of rules by its name."""
    found = [group for rule in manifests.all("PrometheusRule") for group in rule.spec["groups"]]
    assert len({group["name"] for group in found}) == len(found)
    return {group["name"]: group for group in found}


def test_the_rules_are_those_of_the_files() -> None:
    assert RULES
    written = [group for file in RULES for group in yaml.safe_load(file.read_text())["groups"]]
    assert groups(render(values=INSISTED)) == {group["name"]: group for group in written}


def test_rules_can_be_left_out_changed_and_labelled() -> None:
    plain = groups(render(values=INSISTED))
    alerts = [rule["alert"] for group in plain.values() for rule in group["rules"] if "alert" in rule]
    gone, changed, kept = alerts[:3]
    values = {
        "metrics": {
            "prometheusRule": {
                "enabled": True,
                "disabled": [gone],
                "overrides": {changed: {"for": "42m", "labels": {"severity": "info"}}},
                "extraLabels": {"team": "platform"},
            }
        }
    }
    rules = {
        rule["alert"]: rule
        for group in groups(render(values=values)).values()
        for rule in group["rules"]
        if "alert" in rule
    }
    assert rules.keys() == set(alerts) - {gone}
    assert (rules[changed]["for"], rules[changed]["labels"]["severity"]) == ("42m", "info")
    assert rules[kept]["labels"]["team"] == "platform"


def test_the_dashboards_are_the_files() -> None:
    assert DASHBOARDS
    maps = [each for each in render().all("ConfigMap") if "grafana_dashboard" in each.labels]
    data = {name: text for each in maps for name, text in each.data.items()}
    assert data == {file.name: file.read_text() for file in DASHBOARDS}
    assert len({json.loads(text)["uid"] for text in data.values()}) == len(data)
    for each in maps:
        assert each.labels["grafana_dashboard"] == "1"
        assert len(json.dumps(each.body)) < 1_000_000, "etcd takes no more"


def test_dashboards_go_where_grafana_looks() -> None:
    values = {"metrics": {"dashboards": {"namespace": "monitoring", "label": "my_dashboards", "labelValue": "yes"}}}
    maps = [each for each in render(values=values).all("ConfigMap") if each.labels.get("my_dashboards") == "yes"]
    assert [each.namespace for each in maps] == ["monitoring"] * len(DASHBOARDS)


@pytest.mark.parametrize("kind", ["ServiceMonitor", "PrometheusRule"])
@pytest.mark.parametrize(
    ("enabled", "known", "made"),
    [("auto", True, True), ("auto", False, False), (True, False, True), (False, True, False), ("true", False, True)],
)
def test_an_operators_objects_are_made_where_they_are_known_or_insisted_on(
    kind: str, enabled: bool | str, known: bool, made: bool
) -> None:
    name = kind[0].lower() + kind[1:]
    manifests = render(values={"metrics": {name: {"enabled": enabled}}}, api_versions=OPERATORS if known else ())
    assert bool(manifests.all(kind)) is made


def test_labels_that_a_prometheus_selects_by_are_given() -> None:
    labels = {"release": "kube-prometheus-stack"}
    values = {"metrics": {name: {"enabled": True, "labels": labels} for name in ("serviceMonitor", "prometheusRule")}}
    manifests = render(values=values)
    for kind in ("ServiceMonitor", "PrometheusRule"):
        assert manifests.all(kind)
        assert all(each.labels["release"] == "kube-prometheus-stack" for each in manifests.all(kind))


def test_without_metrics_nobody_is_asked_for_them() -> None:
    manifests = render(values={"metrics": {"enabled": False}}, api_versions=OPERATORS)
    assert not manifests.all("ServiceMonitor")
    assert not manifests.all("PrometheusRule")
    pod = manifests.one("Deployment", component="processor").template
    assert manifests.environment(pod, pod.main)["PROMETHEUS_ENABLED"] == "false"
    assert pod.main.probe("readiness"), "the probes stay"
