"""The rendered chart runs: its Jobs, Deployments, CronJobs as processes on real stores, from migration to SIGTERM."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from cryptography.fernet import Fernet
from websockets import Subprotocol
from websockets.sync.client import ClientConnection, connect

from convex_common.timetable import TIMETABLE
from tests.chart.processes import Machine, Running, machine
from tests.support.eventually import eventually
from tests.support.kubernetes import KubernetesApi, kubernetes_api
from tests.support.manifests import NAMESPACE, Container, Manifests, Pod, render
from tests.support.postgres import Server
from tests.support.receiver import Receiver
from tests.support.valkey import Valkey

SERVICES = ("gateway", "processor", "notifier", "analytics", "scheduler")
API_KEY = "cvx_runs0000_runsrunsrunsrunsrunsrunsrunsrunsrunsrunsrun"


@pytest.fixture(scope="module")
def manifests(valkey: Valkey, postgres_server: Server, unmigrated: str) -> Manifests:
    """With stores of one's own, given as people give them who keep no Secrets themselves."""
    return render(
        values={
            "postgresql": {"enabled": False},
            "valkey": {"enabled": False},
            "database": {
                "url": postgres_server.service_url(unmigrated),
                "ownerUrl": postgres_server.owner_url(unmigrated),
            },
            "redis": {"url": valkey.url, "cacheUrl": valkey.url.removesuffix("/0") + "/1"},
            "queue": {"prefix": "chart-runs"},
            "auth": {"jwtSecret": "a secret of the running chart, 32 bytes and more"},
            "encryption": {"keys": Fernet.generate_key().decode()},
            "bootstrap": {"apiKey": API_KEY, "workspace": "main", "owner": "ada"},
            "notifier": {"egressAllow": ["127.0.0.0/8"]},
        }
    )


@pytest.fixture(scope="module")
def unmigrated(postgres_server: Server) -> Iterator[str]:
    """The name of a database that is empty."""
    name = "chart_runs"
    with psycopg.connect(postgres_server.owner_url("postgres"), autocommit=True) as owner:
        owner.execute(f"CREATE DATABASE {name}")
        yield name
        owner.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def host(manifests: Manifests, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with machine(manifests, tmp_path_factory.mktemp("chart")) as made:
        yield made


@pytest.fixture(scope="module")
def cluster(manifests: Manifests, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesApi]:
    """The Kubernetes API, by TLS: it has the chart's CronJobs, and holds to the chart's Role."""
    rules = manifests.one("Role", component="scheduler").body["rules"]
    with kubernetes_api(tmp_path_factory.mktemp("kubernetes"), rules, tls=True) as api:
        api.add(*(job.body for job in manifests.all("CronJob")))
        yield api


@pytest.fixture(scope="module")
def migrated(manifests: Manifests, host: Machine) -> None:
    """A pod waits for the schema until the migration's Job is done."""
    waiting = host.start(*_waiting(manifests.one("Deployment", component="gateway").template))
    pod = manifests.one("Job", component="migrate").template
    host.run(pod, pod.main, 60)
    assert waiting.ended(20) == 0, waiting.told


@pytest.fixture(scope="module")
def services(manifests: Manifests, host: Machine, migrated: None, cluster: KubernetesApi) -> dict[str, Running]:
    """Every Deployment's container, ready; the bootstrap is done before, as it may be."""
    bootstrap = manifests.one("Job", component="bootstrap").template
    for container in (*bootstrap.init_containers, bootstrap.main):
        host.run(bootstrap, container, 60)
    pods = {name: manifests.one("Deployment", component=name).template for name in SERVICES}
    assert {each.component for each in manifests.all("Deployment")} == pods.keys()
    reached = {
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": str(cluster.port),
        "KUBERNETES_SERVICE_ACCOUNT": str(cluster.service_account()),
    }
    started = {
        name: host.start(pod, pod.main, **(reached if pod.spec["automountServiceAccountToken"] else {}))
        for name, pod in pods.items()
    }
    for running in started.values():
        running.wait_until_ready()
    return started


def _waiting(pod: Pod) -> tuple[Pod, Container]:
    (container,) = pod.init_containers
    return pod, container


def test_every_process_listens_on_what_its_container_declares(services: dict[str, Running]) -> None:
    assert {name: running.listening() for name, running in services.items()} == {
        name: set(running.ports.values()) for name, running in services.items()
    }


def test_every_process_tells_prometheus_who_it_is(services: dict[str, Running]) -> None:
    for name, running in services.items():
        assert f'component="{name}"' in httpx.get(running.url("metrics", "/metrics"), timeout=20).text


def test_an_alert_goes_through(services: dict[str, Running], receiver: Receiver) -> None:
    gateway = services["gateway"]
    headers = {"authorization": f"Bearer {API_KEY}"}
    with (
        httpx.Client(base_url=gateway.url("http", "/api/v1"), headers=headers, timeout=20) as api,
        _subscribed(gateway) as socket,
    ):
        channel = _made(api, "/channels", {"kind": "webhook", "name": "pager", "config": {"url": receiver.url()}})
        framework = _made(api, "/frameworks", {"name": "shop"})
        rule = _made(
            api,
            "/rules",
            {
                "framework_id": framework,
                "name": "Checkout is slow",
                "alert_type": "threshold",
                "metric": "checkout_ms",
                "condition": "above",
                "threshold_value": 500,
                "severity": "critical",
                "channel_ids": [channel],
            },
        )
        answer = api.post("/triggers", json={"alert_rule_id": rule, "current_value": 730})
        assert answer.status_code == 202, answer.text
        told = receiver.wait_for_count(1, 20)[0].json()["data"]["alert"]
        assert (told["rule_name"], told["current_value"]) == ("Checkout is slow", 730)
        assert _frame(socket, "alert")["data"]["id"] == told["id"]


def _made(api: httpx.Client, path: str, body: dict[str, object]) -> str:
    answer = api.post(path, json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@contextmanager
def _subscribed(gateway: Running) -> Iterator[ClientConnection]:
    address = gateway.url("http", "/ws").replace("http", "ws", 1)
    protocols = [Subprotocol("convex.v1"), Subprotocol(f"bearer.{API_KEY}")]
    with connect(address, subprotocols=protocols) as socket:
        socket.send(json.dumps({"type": "subscribe"}))
        _frame(socket, "subscribed")
        yield socket


def _frame(socket: ClientConnection, kind: str) -> Any:
    while True:
        frame = json.loads(socket.recv(20))
        if frame["type"] == kind:
            return frame


def test_the_scheduler_sees_its_cron_jobs_and_asks_for_no_more(
    services: dict[str, Running], cluster: KubernetesApi
) -> None:
    def seen() -> set[str]:
        page = httpx.get(services["scheduler"].url("metrics", "/jobs"), timeout=20).json()
        return {job["name"] for job in page["items"] if job["cron_job"]}

    eventually(lambda: seen() == {job.name for job in TIMETABLE}, within=40, what="a look at the cluster")
    assert cluster.asked
    assert cluster.refused == []


def test_helm_test_finds_nothing_wrong(manifests: Manifests, host: Machine, services: dict[str, Running]) -> None:
    """The addresses that it is given are those of the chart's Services; here they lead to this machine."""
    pod = manifests.one("Pod", component="test").template
    environment = manifests.environment(pod, pod.main)
    asked = [environment["GATEWAY_URL"], *environment["READY_URLS"].split()]
    here = {}
    for url in map(urlsplit, asked):
        service = manifests.one("Service", name=str(url.hostname).split(".")[0])
        (port,) = service.spec["ports"]
        assert (url.port, str(url.hostname)) == (port["port"], f"{service.name}.{NAMESPACE}.svc")
        here[url.geturl()] = services[service.component].url(port["targetPort"], url.path)
    told = host.run(
        pod, pod.main, 60, GATEWAY_URL=here[asked[0]], READY_URLS=" ".join(here[url] for url in asked[1:])
    ).told
    assert told.count("ok ") == len(asked) + 3
    assert len(asked) == 1 + len(SERVICES)


def test_every_cron_jobs_command_succeeds(manifests: Manifests, host: Machine, services: dict[str, Running]) -> None:
    jobs = {job.labels["convex-alerts.io/job"]: job.template for job in manifests.all("CronJob")}
    assert jobs.keys() == {job.name for job in TIMETABLE}
    running = {name: host.start(pod, pod.main) for name, pod in jobs.items()}
    codes = {name: (job.ended(90), job.told) for name, job in running.items()}
    assert {name: code for name, (code, _) in codes.items()} == dict.fromkeys(codes, 0), codes


def test_sigterm_ends_every_process_in_time_with_code_0(services: dict[str, Running], host: Machine) -> None:
    """Last in this file: the services are gone afterwards."""
    for running in services.values():
        running.process.send_signal(signal.SIGTERM)
    codes = {name: running.ended(running.grace) for name, running in services.items()}
    assert codes == dict.fromkeys(SERVICES, 0), {name: services[name].told for name, code in codes.items() if code}
    assert host.untouched()
