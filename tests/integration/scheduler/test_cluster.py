"""The cluster's API as the adapter speaks it, with a stand-in that answers by HTTP as an API server does."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from convex_common.metrics import Metrics
from convex_scheduler.kubernetes import cluster as adapter
from convex_scheduler.kubernetes.cluster import Cluster, by_kubeconfig, in_cluster
from convex_scheduler.kubernetes.errors import AlreadyThere, ClusterAway, ClusterError, ClusterRefused
from convex_scheduler.kubernetes.objects import job_for
from tests.support.kubernetes import NAMESPACE, SELECTOR, Fault, KubernetesApi, a_cron_job, kubernetes_api

RUN = uuid.UUID("0198c0de-0000-7000-8000-00c0ffee0001")


@pytest.fixture
def api(tmp_path: Path) -> Iterator[KubernetesApi]:
    with kubernetes_api(tmp_path) as api:
        yield api


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


@pytest.fixture
def cluster(api: KubernetesApi, metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setattr(adapter, "TIMEOUT", (1.0, 1.0))
    made = Cluster(by_kubeconfig(api.kubeconfig), NAMESPACE, SELECTOR, metrics)
    yield made
    made.close()


def test_lists_take_as_many_pages_as_there_are(
    api: KubernetesApi, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "PAGE", 2)
    api.add(*(a_cron_job(f"job-{n}") for n in range(5)))
    api.add(a_cron_job("of-others", labels={"app.kubernetes.io/instance": "others"}))
    assert [found.job for found in cluster.cron_jobs()] == [f"job-{n}" for n in range(5)]
    assert api.count("list", "cronjobs") == 3


def test_a_list_that_takes_too_long_is_begun_again(
    api: KubernetesApi, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "PAGE", 2)
    api.add(*(a_cron_job(f"job-{n}") for n in range(3)))
    api.faults = [Fault(410, verb="list", resource="cronjobs", times=1)]
    assert len(cluster.cron_jobs()) == 3
    api.faults = [Fault(410, verb="list", resource="cronjobs")]
    with pytest.raises(ClusterRefused, match="410"):
        cluster.cron_jobs()


def test_a_job_is_made_once(api: KubernetesApi, cluster: Cluster) -> None:
    api.add(a_cron_job("retention"))
    manifest = job_for(cluster.cron_job("alerts-retention"), RUN)
    made = cluster.create(manifest)
    assert (made.run_id, made.job) == (RUN, "retention")
    with pytest.raises(AlreadyThere):
        cluster.create(manifest)
    assert cluster.job(made.name) == made
    assert cluster.job("nobody") is None
    assert [found.name for found in cluster.jobs()] == [made.name]


def test_suspending_changes_nothing_else(api: KubernetesApi, cluster: Cluster) -> None:
    api.add(a_cron_job("retention"))
    before = api.get("cronjobs", "alerts-retention")
    assert cluster.suspend("alerts-retention", True).suspended
    after = api.get("cronjobs", "alerts-retention")
    assert after["spec"] == before["spec"] | {"suspend": True}
    assert not cluster.suspend("alerts-retention", False).suspended


@pytest.mark.parametrize(
    ("fault", "kind", "message", "retry_after"),
    [
        pytest.param(Fault(403, "exceeded quota: jobs"), ClusterRefused, "403 exceeded quota: jobs", None, id="quota"),
        pytest.param(Fault(404), ClusterRefused, "404 injected", None, id="not there"),
        pytest.param(Fault(422), ClusterRefused, "422 injected", None, id="invalid"),
        pytest.param(Fault(409), ClusterRefused, "409 injected", None, id="a conflict that is no name's"),
        pytest.param(Fault(401), ClusterAway, "401", None, id="credentials"),
        pytest.param(Fault(429, headers={"Retry-After": "7"}), ClusterAway, "429", 7.0, id="too many"),
        pytest.param(Fault(429, headers={"Retry-After": "86400"}), ClusterAway, "429", 60.0, id="at most a minute"),
        pytest.param(Fault(503, headers={"Retry-After": "soon"}), ClusterAway, "503", None, id="no number"),
        pytest.param(Fault(500), ClusterAway, "500", None, id="broken"),
        pytest.param(Fault(0), ClusterAway, "list jobs: ProtocolError", None, id="hangs up"),
    ],
)
def test_a_failure_has_its_kind_and_is_counted(
    api: KubernetesApi,
    cluster: Cluster,
    metrics: Metrics,
    fault: Fault,
    kind: type[ClusterError],
    message: str,
    retry_after: float | None,
) -> None:
    api.faults = [fault]
    with pytest.raises(kind, match=message) as raised:
        cluster.jobs()
    assert raised.value.status == fault.status
    assert getattr(raised.value, "retry_after", None) == retry_after
    counted = {"request": "list jobs", "status": str(fault.status)}
    assert metrics.registry.get_sample_value("kubernetes_request_errors_total", counted) == 1
    api.faults = []
    assert cluster.jobs() == [], "and it heals"


def test_an_api_that_is_away_or_silent_is_waited_for_no_longer_than_said(
    api: KubernetesApi, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cluster.jobs() == []
    api.stop()
    with pytest.raises(ClusterAway, match="list jobs: "):
        cluster.jobs()
    api.start()
    assert cluster.jobs() == []
    monkeypatch.setattr(adapter, "TIMEOUT", (0.2, 0.2))
    with api.silent(), pytest.raises(ClusterAway, match="ReadTimeout"):
        cluster.jobs()


def test_an_answer_that_is_none(api: KubernetesApi, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "answer", lambda *_: (200, {"kind": "Lies"}, {}))
    with pytest.raises(ClusterAway, match="the answer cannot be read"):
        cluster.jobs()


def test_a_role_without_the_right_is_named(tmp_path: Path, metrics: Metrics) -> None:
    role: list[Any] = [{"apiGroups": ["batch"], "resources": ["cronjobs"], "verbs": ["list"]}]
    with kubernetes_api(tmp_path, role) as api:
        cluster = Cluster(by_kubeconfig(api.kubeconfig), NAMESPACE, SELECTOR, metrics)
        assert cluster.cron_jobs() == []
        with pytest.raises(ClusterRefused, match=f'cannot list resource "jobs" .* in the namespace "{NAMESPACE}"'):
            cluster.jobs()


def test_in_a_cluster_tokens_and_certificates_are_replaced_under_it(
    tmp_path: Path, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kubernetes_api(tmp_path, tls=True) as api:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(api.port))
        cluster = Cluster(in_cluster(api.service_account()), NAMESPACE, SELECTOR, metrics)
        assert cluster.jobs() == []
        api.tokens = {"the next one"}
        with pytest.raises(ClusterAway, match="401"):
            cluster.jobs()
        api.service_account("the next one")
        assert cluster.jobs() == []
        api.stop()
        api.start(tls=True)  # by another authority, whose certificate is mounted by now
        try:
            cluster.jobs()
        except ClusterAway:
            assert cluster.jobs() == []
        (tmp_path / "token").unlink()
        cluster.close()
        with pytest.raises(ClusterAway, match="token file does not exist"):
            cluster.jobs()
