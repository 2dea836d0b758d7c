"""A real Prometheus scrapes the running product as the chart says, and Grafana's panels all have something to show.

Two of them look at the same load: one as the operator configures it in a cluster, and one of a person who has neither
cluster nor labels, and wrote down addresses.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any

import httpx
import pytest
import yaml
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from convex_dev.stack import Stack
from tests.support.eventually import eventually
from tests.support.gateways import live_url
from tests.support.grafana import ALL, Dashboard, Target, View, dashboards
from tests.support.homes import Homes
from tests.support.installation import Workspace, installation, workspace_of
from tests.support.manifests import CHART, NAMESPACE, OPERATORS, render
from tests.support.operator import Process, scrape_configs
from tests.support.ports import free_port
from tests.support.prometheus import Prometheus, Refused, Series
from tests.support.receiver import Receiver, Reply
from tests.support.spans import spans_at

EVERY = "1s"
RULES = CHART / "files" / "rules"
ROUNDS = 40
"""Of the load, each of a trigger and an observation."""
LIMITED = 2.0
"""Reads a second that one user may make, with ten times as many at once."""
COMPONENTS = {
    "gateway": "gateway",
    "processor": "processor",
    "processor-2": "processor",
    "notifier": "notifier",
    "analytics": "analytics",
    "scheduler": "scheduler",
}
PANELS = [panel for dashboard in dashboards() for panel in dashboard.panels]
VIEW = View()


def processes(stack: Stack) -> list[Process]:
    ports = json.loads((stack.home.path / "ports.json").read_text())
    return [Process(component, place, ports[name]) for place, (name, component) in enumerate(COMPONENTS.items())]


def as_the_operator(stack: Stack) -> list[dict[str, Any]]:
    manifests = render([CHART / "ci" / "monitoring-values.yaml"], api_versions=OPERATORS)
    return scrape_configs(manifests, processes(stack), every=EVERY)


def as_a_person(stack: Stack) -> list[dict[str, Any]]:
    targets = [f"127.0.0.1:{process.port}" for process in processes(stack)]
    return [{"job_name": "convex-alerts", "static_configs": [{"targets": targets}]}]


def rule_groups() -> list[dict[str, Any]]:
    """The chart's rules, evaluated as often as the rest, so that a test need not wait for a minute."""
    groups = [group for path in sorted(RULES.glob("*.yaml")) for group in yaml.safe_load(path.read_text())["groups"]]
    return [{key: value for key, value in group.items() if key != "interval"} for group in groups]


@pytest.fixture(scope="module")
def collector() -> Iterator[Receiver]:
    """Takes spans: where none are exported, histograms lead to no traces."""
    server = Receiver()
    yield server
    server.close()


@pytest.fixture(scope="module")
def stack(collector: Receiver, homes: Homes) -> Iterator[Stack]:
    port = free_port()
    env = {
        "SELF_AUDIT_URL": f"http://127.0.0.1:{port}",
        "SELF_AUDIT_SECONDS": "5",
        "DEADMAN_URL": collector.url("/switch"),
        "EGRESS_ALLOW": "127.0.0.0/8",
        "RATE_LIMIT_READS_PER_USER": str(LIMITED),
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    with installation(homes, port=port, processors=2, env=env) as running:
        yield running


@pytest.fixture(scope="module")
def seen(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Prometheus]]:
    """Both, when they have looked at the load for a while."""
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": rule_groups()}))
    config = {
        "global": {"scrape_interval": EVERY, "scrape_timeout": EVERY, "evaluation_interval": EVERY},
        "rule_files": [str(folder / "rules.yaml")],
    }
    configs = {"operator": as_the_operator(stack), "person": as_a_person(stack)}
    with ExitStack() as running:
        found = {
            name: running.enter_context(
                Prometheus(folder / name, {**config, "scrape_configs": scrapes}, features=["exemplar-storage"])
            )
            for name, scrapes in configs.items()
        }
        for one in found.values():
            eventually(partial(all_up, one), within=20.0, what="every target up")
        with loaded(stack):
            yield found


def all_up(prometheus: Prometheus) -> bool:
    targets = prometheus.targets()
    return bool(targets) and all(target["health"] == "up" for target in targets)


@contextmanager
def loaded(stack: Stack) -> Iterator[None]:
    """Some of everything, for some seconds; the socket stays open until the end."""
    workspace = workspace_of(stack)
    receiver = Receiver()
    try:
        rules = configured(workspace, receiver)
        headers = {"Authorization": f"Bearer {workspace.token}"}
        with connect(live_url(stack.url), additional_headers=headers, max_queue=None) as socket:
            socket.send(json.dumps({"type": "subscribe"}))
            workspace.post("/api/v1/jobs/alert-statistics-refresh/run", None, 202)
            for number in range(1, ROUNDS + 1):
                send(workspace, rules, number)
                socket.send("no JSON" if number % 10 == 0 else json.dumps({"type": "ping"}))
                time.sleep(0.1)
            burst(stack, workspace)
            refused(stack)
            yield
    finally:
        receiver.close()
        workspace.client.close()


def configured(workspace: Workspace, receiver: Receiver) -> tuple[str, str]:
    """A framework with a rule to trigger and one that decides on observations; channels that work, wait and refuse."""
    receiver.script(*[Reply(503)] * 1000, path="/busy")
    receiver.script(*[Reply(410)] * 1000, path="/gone")
    for path in ("/hook", "/busy", "/gone"):
        workspace.webhook(receiver.url(path))
    workspace.post("/api/v1/channels", {"kind": "in_app", "name": "inbox", "config": {}}, 201)
    framework = workspace.framework()
    return framework, workspace.rule(framework)


def send(workspace: Workspace, rules: tuple[str, str], number: int) -> None:
    framework, rule = rules
    trigger = {"alert_rule_id": rule, "current_value": 200, "labels": {"n": str(number)}}
    workspace.post("/api/v1/triggers", trigger, 202)
    observation = {"framework_id": framework, "metric": "latency", "value": 90 + number % 20}
    workspace.post("/api/v1/observations", observation, 202)
    if number % 10 == 0:
        alerts = eventually(lambda: workspace.get("/api/v1/alerts", status="firing")["items"], what="an alert")
        action, body = ("acknowledge", None) if number % 20 else ("resolve", {"notes": "over"})
        workspace.post(f"/api/v1/alerts/{alerts[0]['id']}/{action}", body, 200)
        workspace.get("/api/v1/rules")


def burst(stack: Stack, workspace: Workspace) -> None:
    """One user asks more often than the rate allows."""
    token = stack.token(workspace=workspace.slug, role="viewer", user="eager")
    with httpx.Client(base_url=stack.url, headers={"authorization": f"Bearer {token}"}) as client:
        answers = (client.get("/api/v1/frameworks").status_code for _ in range(500))
        assert 429 in answers


def refused(stack: Stack) -> None:
    """A socket that is closed for its credentials."""
    headers = {"Authorization": "Bearer nonsense"}
    with connect(live_url(stack.url), additional_headers=headers) as socket, suppress(ConnectionClosed):
        while socket.recv(timeout=10.0):
            pass


def faults(prometheus: Prometheus, target: Target, view: View) -> list[str]:
    """Why a query of a panel has nothing to show."""
    try:
        found = shown(prometheus, target, view)
    except Refused as refused:
        return [str(refused)]
    if not any(math.isfinite(value) for series in found for value in values(series)):
        return [f"{'only NaN' if found else 'nothing'}: {view.filled(target.expression)}"]
    nameless = {label for label in target.legend_labels if not all(series["metric"].get(label) for series in found)}
    return [
        f"no label {label}: {target.expression}"
        for label in nameless - ({"namespace"} if view.namespace == ALL else set())
    ]


def shown(prometheus: Prometheus, target: Target, view: View) -> Sequence[Series]:
    expression = view.filled(target.expression)
    return prometheus.now(expression) if target.instant else prometheus.over(expression, 30, 1)


def values(series: Series) -> Iterator[float]:
    for _, value in series.get("values") or [series["value"]]:
        yield float(value)


@pytest.mark.parametrize(("who", "namespace"), [("operator", ALL), ("operator", NAMESPACE), ("person", ALL)])
def test_every_query_of_every_panel_has_something_to_show(
    seen: Mapping[str, Prometheus], who: str, namespace: str
) -> None:
    prometheus, view = seen[who], VIEW.of(namespace)
    missing = [(panel, target) for panel in PANELS for target in panel.targets]
    assert len(missing) > len(PANELS) > 50
    deadline = time.monotonic() + 20.0
    while missing and time.monotonic() < deadline:
        missing = [one for one in missing if faults(prometheus, one[1], view)]
    assert [(str(panel), faults(prometheus, target, view)) for panel, target in missing] == []


@pytest.mark.parametrize(
    ("expression", "legend", "fault"),
    [
        ('sum(queue_jobs{namespace=~"$namespace"})', "all", "nothing: "),
        ('0 * sum(inbox_backlog{namespace=~"$namespace"}) / 0', "all", "only NaN: "),
        ('sum(inbox_backlog{namespace=~"$namespace"})', "{{queue}}", "no label queue: "),
        ('sum(inbox_backlog{namespace=~"$namespace"}', "all", "unclosed left parenthesis"),
    ],
)
def test_a_panel_without_anything_would_be_found(
    seen: Mapping[str, Prometheus], expression: str, legend: str, fault: str
) -> None:
    eventually(lambda: seen["operator"].now("inbox_backlog"), within=20.0)
    for instant in (False, True):
        (found,) = faults(seen["operator"], Target("A", expression, legend, instant, False, {}), VIEW)
        assert fault in found


def test_everything_is_scraped_and_labelled_as_in_a_cluster(seen: Mapping[str, Prometheus]) -> None:
    labels = [target["labels"] for target in seen["operator"].targets()]
    pods = {one["pod"]: one for one in labels}
    assert len(labels) == len(pods) == len(COMPONENTS), "each process once"
    assert {one["container"] for one in labels} == set(COMPONENTS.values())
    assert {one["namespace"] for one in labels} == {NAMESPACE}
    assert all({"service", "endpoint", "job", "instance"} <= one.keys() for one in labels)
    told = {series["metric"]["pod"]: series["metric"] for series in seen["operator"].now("convex_build_info")}
    assert told.keys() == pods.keys()
    assert all(one["component"] == one["container"] for one in told.values())


@pytest.mark.parametrize("who", ["operator", "person"])
def test_every_rule_is_evaluated_and_the_dead_man_s_switch_fires(seen: Mapping[str, Prometheus], who: str) -> None:
    evaluated = eventually(lambda: all_evaluated(seen[who]), within=20.0, what="every rule evaluated")
    assert {rule["name"]: rule.get("lastError") for rule in evaluated if rule["health"] != "ok"} == {}
    firing = {rule["name"] for rule in evaluated if rule.get("state") == "firing"}
    assert firing == {"ConvexAlertsWatchdog"}
    written = {rule.get("alert") or rule["record"] for group in rule_groups() for rule in group["rules"]}
    assert {rule["name"] for rule in evaluated} == written


def all_evaluated(prometheus: Prometheus) -> list[Mapping[str, Any]]:
    rules = prometheus.rules()
    return [] if any(rule["health"] == "unknown" for rule in rules) else rules


@pytest.mark.parametrize("dashboard", dashboards(), ids=lambda one: one.name)
def test_variables_and_marks_are_understood(seen: Mapping[str, Prometheus], dashboard: Dashboard) -> None:
    asked = dashboard.variables["namespace"]["query"]["query"]
    metric, label = asked.removeprefix("label_values(").removesuffix(")").split(", ")
    assert seen["operator"].values_of(label, metric) == [NAMESPACE]
    assert seen["person"].values_of(label, metric) == []
    for mark in dashboard.body["annotations"]["list"]:
        for prometheus in seen.values():
            assert prometheus.over(VIEW.filled(mark["expr"]), 30, 1) == [], "the dead man's switch is no mark"


def test_points_lead_to_traces_that_a_collector_has(seen: Mapping[str, Prometheus], collector: Receiver) -> None:
    led = {target.expression: str(panel) for panel in PANELS for target in panel.targets if target.exemplars}
    assert len(led) > 5
    exported = {span.trace_id for span in spans_at(collector)}
    for expression, panel in led.items():
        found = [
            exemplar["labels"]["trace_id"]
            for series in seen["operator"].exemplars(VIEW.filled(expression), 120)
            for exemplar in series["exemplars"]
        ]
        assert found, panel
        assert exported & set(found), panel
