"""An installation that is backed up under load and restored elsewhere goes on from there."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from cryptography.fernet import Fernet

from convex_dev.stack import Stack
from tests.support.admin import admin
from tests.support.eventually import eventually
from tests.support.gateways import live_url
from tests.support.installation import Workspace, workspace_of
from tests.support.live import watcher
from tests.support.postgres import Server
from tests.support.receiver import Receiver, Reply

pytestmark = pytest.mark.timeout(400)

KEY = Fernet.generate_key().decode()


@pytest.fixture
def databases(postgres_server: Server) -> Iterator[list[str]]:
    """Two empty ones, as their owner reaches them."""
    names = [f"r_{uuid.uuid4().hex[:12]}" for _ in range(2)]
    with psycopg.connect(postgres_server.owner_url("postgres"), autocommit=True) as owner:
        for name in names:
            owner.execute(f'CREATE DATABASE "{name}"')
    yield names
    with psycopg.connect(postgres_server.owner_url("postgres"), autocommit=True) as owner:
        for name in names:
            owner.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_a_restored_installation_goes_on_and_its_clients_reload(
    postgres_server: Server,
    databases: list[str],
    new_stack: Callable[..., Stack],
    receiver: Receiver,
    tmp_path: Path,
) -> None:
    def start(name: str) -> Stack:
        """Each with a Redis of its own."""
        urls = {
            "DATABASE_URL": postgres_server.service_url(name),
            "DATABASE_OWNER_URL": postgres_server.owner_url(name),
        }
        return new_stack(env={**urls, "ENCRYPTION_KEYS": KEY})

    first, second = databases
    receiver.default = Reply(status=503)  # nothing is delivered before the end
    stack = start(first)
    workspace = workspace_of(stack, "shop")
    framework_id = workspace.framework()
    rule_id = workspace.rule(framework_id)
    workspace.webhook(receiver.url())
    load = _Load(workspace, rule_id)
    with load:
        eventually(lambda: len(load.accepted) >= 20, within=60, what="some triggers")
        known = list(load.accepted)
        eventually(lambda: _labels(workspace) >= set(known), within=60, what="their alerts")
        folder = tmp_path / "backup"
        ran = admin(stack.owner_url, "backup", "--out", str(folder))
        assert ran.code == 0, ran
        load.wait_for_more(5)
    eventually(lambda: _labels(workspace) >= set(load.accepted), within=60, what="all alerts")
    seen = workspace.get("/api/v1/alerts")
    lost = _labels(workspace)
    assert stack.stop() == 0

    ran = admin(postgres_server.owner_url(second), "restore", "--from", str(folder), ENCRYPTION_KEYS=KEY)
    assert ran.code == 0, ran
    assert "give the services the ENCRYPTION_KEYS" not in ran.out
    assert admin(postgres_server.owner_url(second), "audit", "verify").code == 0
    receiver.default = Reply()
    before = len(receiver.received)
    restored = start(second)
    back = workspace_of(restored, "shop")

    now = back.get("/api/v1/alerts")
    assert now["epoch"] != seen["epoch"]
    kept = _labels(back)
    assert set(known) <= kept < lost, "as of the back-up's moment, and not one trigger more"

    async def reconnect() -> dict[str, Any]:
        async with watcher(live_url(restored.url), back.token) as client:
            return await client.subscribe(since=(seen["epoch"], seen["offset"]))

    answer = asyncio.run(reconnect())
    assert (answer["recovered"], answer["epoch"]) == (False, now["epoch"])
    alerts = eventually(lambda: _delivered(receiver, before) >= kept and kept, within=90, what="what was pending")
    assert _delivered(receiver, before) == alerts, "each, and what was lost not at all"
    back.post("/api/v1/triggers", {"alert_rule_id": rule_id, "current_value": 300, "labels": {"n": "new"}}, 202)
    eventually(lambda: "new" in _delivered(receiver, before), within=60, what="a new alert's webhook")


def _labels(workspace: Workspace) -> set[str]:
    return {row["n"] for row in workspace.rows("SELECT labels->>'n' AS n FROM alerts")}


def _delivered(receiver: Receiver, since: int) -> set[str]:
    return {request.json()["data"]["alert"]["labels"]["n"] for request in receiver.received[since:]}


class _Load:
    """Triggers one after the other, each of an alert of its own."""

    def __init__(self, workspace: Workspace, rule_id: str) -> None:
        self._client = httpx.Client(base_url=workspace.stack.url, headers=workspace.client.headers, timeout=10.0)
        self._rule_id = rule_id
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.accepted: list[str] = []

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._client.close()

    def wait_for_more(self, count: int) -> None:
        had = len(self.accepted)
        eventually(lambda: len(self.accepted) >= had + count, within=60, what="more triggers")

    def _run(self) -> None:
        n = 0
        while not self._stop.wait(0.05):
            n += 1
            body = {"alert_rule_id": self._rule_id, "current_value": 200, "labels": {"n": str(n)}}
            if self._client.post("/api/v1/triggers", json=body).status_code == 202:
                self.accepted.append(str(n))
