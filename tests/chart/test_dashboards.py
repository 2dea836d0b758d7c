"""The dashboards' files: fresh, complete, of one kind. That they show something is tests/e2e/test_dashboards.py."""

from __future__ import annotations

import functools
import itertools
import re
from collections import Counter
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from charts.dashboards import limits
from charts.dashboards.panels import RUNBOOKS
from charts.dashboards.shelf import FILES, contents
from convex_common.metrics import Metrics
from tests.support.grafana import Dashboard, Panel, Target, dashboards
from tests.support.manifests import CHART, NAMESPACE, render

SUFFIXES = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_sum", "_count"),
    "gauge": ("",),
}
CHOSEN = 'namespace=~"$namespace"'
WIDEST = {"stat": 6}
"""How many panels may stand in a row; three of any other kind."""
ALL = [panel for dashboard in dashboards() for panel in dashboard.panels]
each_dashboard = pytest.mark.parametrize("dashboard", dashboards(), ids=lambda one: one.name)
each_panel = pytest.mark.parametrize("panel", ALL, ids=str)


@functools.cache
def exported() -> frozenset[str]:
    """The names of all samples that a process of ours may export."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for name, member in vars(Metrics).items():
        if isinstance(member, functools.cached_property):
            getattr(metrics, name)
    metrics.cache_hits.labels("any").inc()
    return frozenset(family.name + suffix for family in registry.collect() for suffix in SUFFIXES[family.type])


def test_the_files_are_what_the_code_says() -> None:
    written = {path: path.read_text() for path in FILES.glob("*.json")}
    assert written == contents(), "run `make dashboards`"
    assert contents() == contents()


def test_uids_are_what_links_from_outside_rely_on() -> None:
    assert {one.name: one.body["uid"] for one in dashboards()} == {
        name: f"convex-alerts-{name}"
        for name in (
            "alert-processing",
            "cache-performance",
            "overview",
            "queue-status",
            "system-health",
            "websocket-connections",
        )
    }
    assert len({one.body["title"] for one in dashboards()}) == 6
    assert all(len(one.body["uid"]) <= 40 and "id" not in one.body for one in dashboards())


@each_dashboard
def test_a_dashboard_says_what_it_answers_and_leads_on(dashboard: Dashboard) -> None:
    body = dashboard.body
    assert body["description"].endswith((".", "?"))
    assert body["schemaVersion"] == 38
    others, runbooks = body["links"]
    assert (others["type"], others["tags"], others["keepTime"], others["includeVars"]) == (
        "dashboards",
        body["tags"],
        True,
        True,
    )
    assert runbooks["url"] == RUNBOOKS
    (fired,) = body["annotations"]["list"]
    assert fired["expr"].startswith("ALERTS{")


@each_dashboard
def test_every_variable_is_used_and_namespace_is_none_of_necessity(dashboard: Dashboard) -> None:
    assert list(dashboard.variables) == ["datasource", "namespace"]
    assert dashboard.variables["datasource"]["query"] == "prometheus"
    namespace = dashboard.variables["namespace"]
    assert (namespace["includeAll"], namespace["allValue"], namespace["current"]["value"]) == (True, ".*", ["$__all"])
    assert namespace["query"]["query"] == "label_values(convex_build_info, namespace)"
    assert namespace["datasource"]["uid"] == "${datasource}"


@each_dashboard
def test_panels_stand_beside_one_another_and_few_in_a_row(dashboard: Dashboard) -> None:
    taken: Counter[tuple[int, int]] = Counter()
    for body in dashboard.body["panels"]:
        left, top, width, height = Panel(dashboard.name, body).place
        assert left + width <= 24
        taken.update(itertools.product(range(left, left + width), range(top, top + height)))
    assert set(taken.values()) == {1}
    ids = [body["id"] for body in dashboard.body["panels"]]
    assert len(set(ids)) == len(ids)
    for top, row in itertools.groupby(sorted(dashboard.panels, key=_top), key=_top):
        kinds = Counter(panel.kind for panel in row)
        assert kinds.total() <= (WIDEST["stat"] if set(kinds) == {"stat"} else 3), f"row at {top}: {kinds}"


def _top(panel: Panel) -> int:
    return panel.place[1]


def test_a_title_is_given_once_on_a_dashboard() -> None:
    assert not [title for title, times in Counter(map(str, ALL)).items() if times > 1]


@each_panel
def test_a_panel_is_told_in_words_and_has_a_unit(panel: Panel) -> None:
    assert len(panel.body["description"]) > 10
    assert panel.body["description"].endswith(".")
    defaults = panel.body["fieldConfig"]["defaults"]
    assert defaults["unit"]
    assert panel.body["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    if panel.kind in {"stat", "table"}:
        assert defaults["noValue"], "says what it means that there is nothing"
        assert all(target.instant for target in panel.targets), "a figure is of now, not the last one of a range"


@each_panel
def test_a_panel_asks_our_metrics_of_the_chosen_namespaces(panel: Panel) -> None:
    assert panel.targets
    assert [target.ref for target in panel.targets] == [chr(ord("A") + n) for n in range(len(panel.targets))]
    for target in panel.targets:
        assert target.datasource["uid"] == "${datasource}"
        assert faults(target) == []


def faults(target: Target) -> list[str]:
    """What is wrong with the selectors of a query."""
    found = []
    for metric, matchers in target.selectors:
        if metric == "ALERTS":
            if 'alertname=~"ConvexAlerts.+"' not in matchers and 'alertname="ConvexAlertsWatchdog"' not in matchers:
                found.append("alerts of others")
            continue
        if metric not in exported():
            found.append(f"no process exports {metric}")
        if CHOSEN not in matchers:
            found.append(f"{metric} of any namespace")
        if metric.startswith("scheduled_job_") and not re.search(
            rf"label_replace\({metric}|sum by \(status\)", target.expression
        ):
            found.append(f"{metric}: its label job is Prometheus' own without honor_labels")
        if metric.startswith(("process_", "python_")) and "convex_build_info" not in target.expression:
            found.append(f"{metric} of other people's processes")
    return found or ([] if target.selectors else ["selects nothing"])


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ('sum(rate(alerts_processed{namespace=~"$namespace"}[1m]))', "no process exports alerts_processed"),
        ("sum(inbox_backlog{})", "inbox_backlog of any namespace"),
        (
            'max by (job) (scheduled_job_running{namespace=~"$namespace"})',
            "scheduled_job_running: its label job is Prometheus' own without honor_labels",
        ),
        (
            'process_open_fds{namespace=~"$namespace"}',
            "process_open_fds of other people's processes",
        ),
        ('count(ALERTS{alertstate="firing"})', "alerts of others"),
        ("vector(1)", "selects nothing"),
    ],
)
def test_the_faults_would_be_found(expression: str, fault: str) -> None:
    assert faults(Target("A", expression, "", False, False, {})) == [fault]


@each_panel
def test_a_latency_leads_to_traces_once(panel: Panel) -> None:
    """Quantiles of one histogram have the same exemplars: asked for by each they would lie on one another."""
    asked = Counter(
        (target.selectors[0], target.exemplars)
        for target in panel.targets
        if "histogram_quantile" in target.expression and not target.instant
    )
    for selector, _ in asked:
        assert asked[selector, True] == 1, selector


@pytest.mark.parametrize(
    ("values", "label", "namespace"),
    [
        ({}, ("grafana_dashboard", "1"), NAMESPACE),
        (
            {"metrics": {"dashboards": {"label": "dashboards", "labelValue": "yes", "namespace": "grafana"}}},
            ("dashboards", "yes"),
            "grafana",
        ),
    ],
    ids=["default", "another sidecar"],
)
def test_the_chart_has_the_files_as_they_are(values: dict[str, Any], label: tuple[str, str], namespace: str) -> None:
    maps = [
        one
        for one in render([CHART / "ci" / "monitoring-values.yaml"], values=values).all("ConfigMap")
        if label in one.labels.items()
    ]
    assert {one.namespace for one in maps} == {namespace}
    assert {name: text for one in maps for name, text in one.data.items()} == {
        path.name: path.read_text() for path in FILES.glob("*.json")
    }
    assert all(len(text) < 200_000 for one in maps for text in one.data.values()), "kubectl apply keeps a copy"


def test_the_chart_can_leave_them_out() -> None:
    without = render([CHART / "ci" / "monitoring-values.yaml"], values={"metrics": {"dashboards": {"enabled": False}}})
    assert not [one for one in without.all("ConfigMap") if "overview.json" in one.data]


def test_lines_are_where_rules_fire() -> None:
    """The first number that a rule compares with."""
    rules = {
        rule["alert"]: rule["expr"]
        for path in sorted((FILES.parent / "rules").glob("*.yaml"))
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    found = {}
    for alert in limits.FIRES:
        first = re.search(r"[<>] ([0-9.]+)\b", rules[alert])
        assert first, alert
        found[alert] = float(first.group(1))
    assert found == limits.FIRES


@each_panel
def test_red_is_kept_for_what_wants_somebody(panel: Panel) -> None:
    """Nothing is red but what failed, and what is beyond a limit."""
    red = [
        override["matcher"]["options"]
        for override in panel.body["fieldConfig"]["overrides"]
        for one in override["properties"]
        if one["id"] == "color" and one["value"].get("fixedColor") == "red"
    ]
    assert set(red) <= {"failed", "5xx", "closed"}
