"""The gateway as a process: it starts without stores, says so, refuses politely, and ends cleanly."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest
from cryptography.fernet import Fernet
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from convex_common.postgres.bootstrap import ensure_member
from tests.support.eventually import eventually
from tests.support.postgres import Store
from tests.support.rest import SECRET, token_of

pytestmark = pytest.mark.timeout(120)


@dataclass
class Process:
    """A gateway on free ports."""

    popen: subprocess.Popen[str]
    port: int
    metrics_port: int

    def get(self, path: str, token: str = "", *, port: int | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.get(f"http://127.0.0.1:{port or self.port}{path}", headers=headers, timeout=20)

    def ready(self) -> bool:
        try:
            return self.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> str:
        self.popen.send_signal(signal.SIGTERM)
        _, errors = self.popen.communicate(timeout=30)
        return errors


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _start(database_url: str, **changed: str) -> Process:
    port, metrics_port, nowhere = _free_ports(3)
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url,
        "REDIS_URL": f"redis://127.0.0.1:{nowhere}/0",
        "JWT_SECRET": SECRET,
        "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "GATEWAY_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "PROMETHEUS_PORT": str(metrics_port),
        "METRICS_HOST": "127.0.0.1",
    } | changed
    command = [sys.executable, "-m", "convex_gateway.main"]
    popen = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    return Process(popen, port, metrics_port)


@contextlib.contextmanager
def started(database_url: str, **changed: str) -> Iterator[Callable[[], Process]]:
    """Starts gateways that are ready, and ends those that are left."""
    processes: list[Process] = []

    def start() -> Process:
        processes.append(_start(database_url, **changed))
        eventually(processes[-1].ready, within=60)
        return processes[-1]

    yield start
    for process in processes:
        process.popen.kill()
        process.popen.wait()


@pytest.fixture
def lonely() -> Iterator[Process]:
    """Without any store."""
    process = _start(f"postgresql://convex@127.0.0.1:{_free_ports(1)[0]}/none")
    yield process
    process.popen.kill()
    process.popen.wait()


def test_without_stores_it_is_ready_and_answers_503(lonely: Process) -> None:
    eventually(lonely.ready, within=30)
    answer = lonely.get("/api/v1/frameworks", token_of(uuid.uuid4(), "owner", "owner"))
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert int(answer.headers["retry-after"]) >= 1
    assert lonely.get("/api/v1/frameworks").status_code == 401
    assert lonely.get("/metrics", port=lonely.metrics_port).status_code == 200
    assert lonely.get("/readyz", port=lonely.metrics_port).status_code == 200
    assert lonely.get("/metrics").status_code == 404, "figures are not for whoever reaches the API"
    errors = lonely.stop()
    assert lonely.popen.returncode == 0, errors
    lines = [json.loads(line) for line in errors.splitlines()]
    assert all(line["service"] == "gateway" for line in lines)
    assert not any("exception" in line for line in lines), errors


def test_a_body_beyond_the_limit_is_refused_while_it_arrives(lonely: Process) -> None:
    eventually(lonely.ready, within=30)
    for content in (b"x" * (3 << 20), iter([b"x" * (1 << 20)] * 3)):
        headers = {"Authorization": f"Bearer {token_of(uuid.uuid4(), 'owner', 'owner')}"}
        answer = httpx.post(
            f"http://127.0.0.1:{lonely.port}/api/v1/frameworks", content=content, headers=headers, timeout=20
        )
        expected = 413 if isinstance(content, bytes) else 503
        assert answer.status_code == expected, "a length tells at once; pieces are counted once somebody is let in"


def test_it_serves_and_ends_cleanly(store: Store) -> None:
    ensure_member(store.owner_url, store.workspace_id, "ada", "editor")
    process = _start(store.url)
    try:
        eventually(process.ready, within=30)
        me = process.get("/api/v1/me", token_of(store.workspace_id, "ada", "editor"))
        assert (me.status_code, me.json()["user_id"]) == (200, "ada")
        document = process.get("/openapi.json").json()
        assert {"/api/v1/rules", "/api/v1/triggers", "/healthz"} <= document["paths"].keys()
        names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
        assert len(names) == len(set(names))
        references = set(re.findall(r'"#/components/(\w+)/(\w+)"', json.dumps(document)))
        assert all(name in document["components"][kind] for kind, name in references)
        errors = process.stop()
        assert process.popen.returncode == 0, errors
    finally:
        process.popen.kill()
        process.popen.wait()


def test_its_log_has_no_queries_of_sockets(lonely: Process) -> None:
    eventually(lonely.ready, within=30)
    with connect(f"ws://127.0.0.1:{lonely.port}/ws?token=hunter2", open_timeout=20) as socket_:
        with pytest.raises(ConnectionClosed) as closed:
            list(socket_)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401
    errors = lonely.stop()
    assert "serving" in errors
    assert "hunter2" not in errors


def test_a_port_that_is_taken_is_told(store: Store) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = _start(store.url, GATEWAY_PORT=str(taken.getsockname()[1]))
        _, errors = process.popen.communicate(timeout=30)
    assert process.popen.returncode > 0
    assert "address already in use" in errors


@pytest.mark.parametrize(("name", "value"), [("JWT_SECRET", "short"), ("ENCRYPTION_KEYS", "x"), ("GATEWAY_PORT", "x")])
def test_a_wrong_setting_ends_it_with_one_line(name: str, value: str) -> None:
    process = _start("postgresql://convex@127.0.0.1:1/none", **{name: value})
    _, errors = process.popen.communicate(timeout=30)
    assert process.popen.returncode == 2
    (line,) = errors.splitlines()
    assert line.startswith(f"{name}: ")
