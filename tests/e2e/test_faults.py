"""A failing neighbour degrades one thing, visibly, and heals by itself."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from convex_dev.stack import Stack
from tests.support.eventually import eventually
from tests.support.homes import Homes
from tests.support.installation import Workspace, installation
from tests.support.receiver import Receiver


@pytest.fixture(scope="module")
def stack(homes: Homes) -> Iterator[Stack]:
    """One for these tests: what heals is as good as new."""
    with installation(homes) as running:
        yield running


@pytest.fixture
def socket(workspace: Workspace) -> Iterator[ClientConnection]:
    headers = {"Authorization": f"Bearer {workspace.token}"}
    with connect(workspace.stack.url.replace("http", "ws") + "/ws", additional_headers=headers) as opened:
        opened.send(json.dumps({"type": "subscribe"}))
        _frame(opened, lambda frame: frame["type"] == "subscribed")
        yield opened


def test_with_redis_frozen_alerts_are_accepted_processed_delivered_and_shown(
    workspace: Workspace, socket: ClientConnection, receiver: Receiver
) -> None:
    workspace.webhook(receiver.url())
    rule_id = workspace.rule(workspace.framework())
    valkey = workspace.stack.pid("valkey")
    os.kill(valkey, signal.SIGSTOP)
    try:
        answer = workspace.post("/api/v1/triggers", {"alert_rule_id": rule_id, "current_value": 200}, 202)
        assert answer["accepted"] == 1
        eventually(lambda: workspace.get("/api/v1/alerts")["items"], within=20.0, what="the alert by REST")
        receiver.wait_for_count(1, deadline=20.0)
        _frame(socket, lambda frame: frame["type"] == "alert" and frame["event"] == "created")
        assert workspace.client.get("/readyz").status_code == 200
        eventually(lambda: _stores(workspace, "redis") == {0.0}, within=30.0, what="everybody missing it")
        assert _stores(workspace, "postgres") == {1.0}
    finally:
        os.kill(valkey, signal.SIGCONT)
    workspace.post("/api/v1/triggers", {"alert_rule_id": rule_id, "current_value": 300}, 202)
    _frame(socket, lambda frame: frame["type"] == "alert" and frame["data"]["current_value"] == 300)
    eventually(lambda: _stores(workspace, "redis") == {1.0}, within=30.0, what="everybody having it back")


def test_without_postgres_nothing_is_accepted_falsely_and_sockets_are_told(
    workspace: Workspace, socket: ClientConnection
) -> None:
    rule_id = workspace.rule(workspace.framework())
    body = {"alert_rule_id": rule_id, "current_value": 200}
    accepted: list[str] = []
    refused = 0
    told = {"stale": False, "position": False}
    deadline = time.monotonic() + 90
    while not (refused and told["stale"]):
        assert time.monotonic() < deadline, (refused, told)
        workspace.stack.kill("postgres")
        for _ in range(20):
            answer = _try(workspace, body)
            if answer is None:
                continue
            if answer.status_code == 202:
                accepted += answer.json()["event_ids"]
                break
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.headers["content-type"] == "application/problem+json"
            refused += 1
            assert workspace.client.get("/readyz").status_code == 200
            _listen(socket, told)
    eventually(lambda: _listen(socket, told)["position"], within=60.0, what="position after stale")
    workspace.stack.wait_healthy()

    def folded() -> set[str]:
        rows = workspace.rows("SELECT event_ids FROM alert_log")
        return {str(event_id) for row in rows for event_id in row["event_ids"]}

    eventually(lambda: set(accepted) <= folded(), within=60.0, what="every accepted event on the log")


def _stores(workspace: Workspace, store: str) -> set[float]:
    """What those say of a store that call it whether or not there is work."""
    ports = json.loads((workspace.stack.home.path / "ports.json").read_text())
    found = set()
    for service in ("gateway", "processor", "notifier", "analytics"):
        text = httpx.get(f"http://127.0.0.1:{ports[service]}/metrics", timeout=10.0).text
        (line,) = (line for line in text.splitlines() if line.startswith(f'store_up{{store="{store}"}}'))
        found.add(float(line.split()[-1]))
    return found


def _try(workspace: Workspace, body: dict[str, object]) -> httpx.Response | None:
    try:
        return workspace.client.post("/api/v1/triggers", json=body)
    except httpx.TransportError:
        return None


def _listen(socket: ClientConnection, told: dict[str, bool]) -> dict[str, bool]:
    """Note what the socket has been told since, without waiting longer than a moment."""
    try:
        while True:
            frame = json.loads(socket.recv(timeout=0.3))
            if frame["type"] == "error" and frame["code"] == "stale":
                told["stale"] = True
            elif frame["type"] == "position" and told["stale"]:
                told["position"] = True
    except TimeoutError:
        return told


def _frame(socket: ClientConnection, wanted: Callable[[dict[str, Any]], bool], within: float = 20.0) -> None:
    deadline = time.monotonic() + within
    while not wanted(json.loads(socket.recv(timeout=max(0.1, deadline - time.monotonic())))):
        pass
