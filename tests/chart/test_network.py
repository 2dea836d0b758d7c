"""With network policies, every edge of the architecture is open and no other is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chart.examples import rendered
from tests.chart.network import (
    DNS,
    INGRESS_CONTROLLER,
    INTERNET,
    METADATA_SERVICE,
    NEIGHBOUR,
    OTHER_POD,
    PROMETHEUS,
    Peer,
    allows,
)
from tests.support.manifests import Manifests, render

WORKERS = ("processor", "notifier", "analytics")
SERVICES = ("gateway", *WORKERS, "scheduler")
USERS = (*SERVICES, "job")
STORES = ("postgresql", "valkey", "cache")
DATABASE = Peer("the database", address="10.1.0.9")
REDIS = Peer("Redis", {"app.kubernetes.io/name": "valkey"}, "redis")
COLLECTOR = Peer("the collector", {"app": "otel"}, "observability")
INTRANET = Peer("a host of the intranet", address="10.20.3.4")
PRIVATE = Peer("another private address", address="10.99.3.4")


@pytest.fixture(scope="module")
def external() -> Manifests:
    """The example with stores of one's own."""
    return rendered("network-policy")


@pytest.fixture(scope="module")
def bundled() -> Manifests:
    """The evaluation, closed."""
    return render(values={"networkPolicy": {"enabled": True}})


def peers(manifests: Manifests) -> dict[str, Peer]:
    """A pod of each component."""
    return {pod.labels["app.kubernetes.io/component"]: Peer.of(pod) for pod in manifests.pods}


def edges() -> Iterator[tuple[str, Peer | str, Peer | str, int, bool]]:
    """Of the example with stores of one's own: from, to, port, whether it is open."""
    for one in (*USERS, "migrate", "bootstrap"):
        yield "the database", one, DATABASE, 6432, True
        yield "another port of the database", one, DATABASE, 22, False
    for one in USERS:
        yield "Redis", one, REDIS, 6379, True
        yield "traces", one, COLLECTOR, 4318, True
    for one in ("migrate", "bootstrap"):
        yield "Redis", one, REDIS, 6379, False
        yield "the gateway", one, "gateway", 8080, False
    for one in (*USERS, "migrate", "bootstrap", "test"):
        yield "DNS", one, DNS, 53, True
        yield "the metadata service", one, METADATA_SERVICE, 80, False
    for one in ("gateway", "processor", "analytics", "job", "migrate", "bootstrap", "test"):
        yield "the Internet", one, INTERNET, 443, False
    yield "webhooks", "notifier", INTERNET, 443, True
    yield "mail", "notifier", INTERNET, 2525, True
    yield "a host that is allowed", "notifier", INTRANET, 443, True
    yield "a host that is not allowed", "notifier", PRIVATE, 443, False
    for one in SERVICES:
        yield "figures", PROMETHEUS, one, 9090, True
        yield "figures for others", OTHER_POD, one, 9090, False
        yield "figures for neighbours", NEIGHBOUR, one, 9090, False
        yield "figures for the Internet", INTERNET, one, 9090, False
        yield "helm test", "test", one, 9090, True
    yield "browsers", INGRESS_CONTROLLER, "gateway", 8080, True
    yield "helm test", "test", "gateway", 8080, True
    yield "past the ingress", OTHER_POD, "gateway", 8080, False
    yield "past the ingress", INTERNET, "gateway", 8080, False
    for one in (*WORKERS, "scheduler"):
        yield "browsers at a worker", INGRESS_CONTROLLER, one, 9090, False
        yield "a worker from the gateway", "gateway", one, 9090, False
        yield "the gateway from a worker", one, "gateway", 8080, one == "scheduler"  # which audits it


EDGES = {
    f"{name}: {source} to {target}:{port}": (source, target, port, opened)
    for name, source, target, port, opened in edges()
}


@pytest.mark.parametrize("edge", EDGES)
def test_an_edge_is_open_or_closed(edge: str, external: Manifests) -> None:
    source, target, port, opened = EDGES[edge]
    known = peers(external)
    ends = [known[end] if isinstance(end, str) else end for end in (source, target)]
    assert allows(external, ends[0], ends[1], port) is opened


@pytest.mark.parametrize("store", STORES)
def test_a_bundled_store_is_reached_by_those_who_need_it_and_goes_nowhere(store: str, bundled: Manifests) -> None:
    known = peers(bundled)
    port = next(iter(known[store].ports.values()))
    users = {*USERS, "migrate", "bootstrap"} if store == "postgresql" else set(USERS)
    assert {name for name, peer in known.items() if allows(bundled, peer, known[store], port)} == users
    for stranger in (OTHER_POD, NEIGHBOUR, PROMETHEUS, INGRESS_CONTROLLER, INTERNET):
        assert not allows(bundled, stranger, known[store], port), stranger
    for target in (INTERNET, METADATA_SERVICE, DNS, known["gateway"], OTHER_POD):
        assert not allows(bundled, known[store], target, 443), target
        assert not allows(bundled, known[store], target, 53, "UDP"), target


def test_the_scheduler_alone_reaches_the_kubernetes_api(external: Manifests) -> None:
    api = Peer("the Kubernetes API", address="10.96.0.1")
    known = peers(external)
    reaching = {name for name, peer in known.items() if any(allows(external, peer, api, port) for port in (443, 6443))}
    assert reaching == {"scheduler"}


def test_the_scheduler_reaches_a_dead_mans_switch_where_there_is_one() -> None:
    closed = {"networkPolicy": {"enabled": True}, "scheduler": {"kubernetes": {"enabled": False}}}
    given = closed | {"deadman": {"url": "https://hc.example.com/secret"}}
    for values, reached, told in (
        (closed, False, {"SELF_AUDIT_URL"}),
        (given, True, {"SELF_AUDIT_URL", "DEADMAN_URL"}),
        (given | {"scheduler": {"kubernetes": {"enabled": False}, "selfAudit": {"enabled": False}}}, False, set[str]()),
    ):
        manifests = render(values=values)
        known = peers(manifests)
        assert allows(manifests, known["scheduler"], INTERNET, 443) is reached
        assert allows(manifests, known["scheduler"], known["gateway"], 8080) is bool(told)
        (scheduler,) = [pod for pod in manifests.pods if pod.owner.component == "scheduler"]
        names = {one["name"] for container in scheduler.containers for one in container.body["env"]}
        assert names & {"SELF_AUDIT_URL", "DEADMAN_URL"} == told


def test_names_are_looked_up_by_either_protocol(external: Manifests) -> None:
    assert all(allows(external, peers(external)["notifier"], DNS, 53, protocol) for protocol in ("TCP", "UDP"))


@pytest.mark.parametrize("example", ["network-policy"])
def test_every_pod_is_closed_by_default(example: str) -> None:
    manifests = rendered(example)
    for pod in manifests.pods:
        assert not allows(manifests, OTHER_POD, Peer.of(pod), 12345)
        assert not allows(manifests, Peer.of(pod), OTHER_POD, 12345)


def test_policies_follow_changed_ports() -> None:
    manifests = render(
        values={"networkPolicy": {"enabled": True}, "gateway": {"port": 8181}, "metrics": {"port": 9191}},
    )
    known = peers(manifests)
    assert allows(manifests, OTHER_POD, known["gateway"], 8181)
    assert not allows(manifests, OTHER_POD, known["gateway"], 8080)
    assert allows(manifests, PROMETHEUS, known["processor"], 9191)
    assert not allows(manifests, PROMETHEUS, known["processor"], 9090)
