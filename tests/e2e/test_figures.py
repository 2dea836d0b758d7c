"""`/api/metrics` while processes are killed and two gateways serve: totals are the database's truth."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from convex_common.redis.flusher import EVERY
from convex_common.redis.measures import ALIVE_SECONDS
from convex_dev.stack import Stack
from tests.support.eventually import eventually
from tests.support.gateways import GatewayProcess, gateway_beside, live_url
from tests.support.installation import Workspace, workspace_of
from tests.support.receiver import Receiver

ROUNDS = 60
AT_ONCE = 5
TRUTH = """
SELECT (SELECT count(DISTINCT e) FROM alert_log l CROSS JOIN unnest(l.event_ids) e
        WHERE l.workspace_id = w.id) AS processed,
       (SELECT count(*) FROM inbox i WHERE i.workspace_id = w.id) AS waiting,
       (SELECT count(*) FROM deliveries d WHERE d.workspace_id = w.id AND d.status = 'pending') AS undelivered,
       (SELECT count(*) FROM attempts a WHERE a.workspace_id = w.id AND a.outcome = 'delivered') AS delivered
FROM workspaces w WHERE w.slug = %s"""


@pytest.fixture
def installation(new_stack: Callable[..., Stack]) -> Iterator[tuple[Stack, GatewayProcess]]:
    stack = new_stack(processors=2, env={"EGRESS_ALLOW": "127.0.0.0/8"})
    with gateway_beside(stack) as second:
        yield stack, second


def figures(url: str, workspace: Workspace, name: str) -> Any:
    answer = httpx.get(
        f"{url}/api/metrics/{name}", headers={"authorization": f"Bearer {workspace.token}"}, timeout=10.0
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def subscribed(sockets: ExitStack, url: str, workspace: Workspace) -> ClientConnection:
    headers = {"Authorization": f"Bearer {workspace.token}"}
    socket = sockets.enter_context(connect(live_url(url), additional_headers=headers, max_queue=None))
    socket.send(json.dumps({"type": "subscribe"}))
    while json.loads(socket.recv(timeout=10.0))["type"] != "subscribed":
        pass
    return socket


def send(urls: list[str], workspace: Workspace, rule_id: str, number: int) -> int:
    """A batch to each gateway; how many triggers were accepted for sure. One that is being killed says nothing."""
    accepted = 0
    for place, url in enumerate(urls):
        batch = [
            {"alert_rule_id": rule_id, "current_value": 200, "labels": {"n": str((number + place + i) % 20)}}
            for i in range(AT_ONCE)
        ]
        try:
            answer = httpx.post(f"{url}/api/v1/triggers", json=batch, headers=workspace.client.headers, timeout=10.0)
        except httpx.TransportError:
            continue
        accepted += answer.json()["accepted"] if answer.status_code == 202 else 0
    return accepted


def test_totals_are_the_databases_whatever_is_killed(
    installation: tuple[Stack, GatewayProcess], receiver: Receiver
) -> None:
    stack, second = installation
    workspace = workspace_of(stack)
    workspace.webhook(receiver.url())
    workspace.post("/api/v1/channels", {"kind": "in_app", "name": "inbox", "config": {}}, 201)
    rule_id = workspace.rule(workspace.framework())
    with ExitStack() as sockets:
        for url in (stack.url, stack.url, second.url):
            subscribed(sockets, url, workspace)
        open_now = partial(figures, stack.url, workspace, "websocket")
        eventually(lambda: open_now()["connected_clients"] == 3, within=4 * EVERY, what="sockets at both gateways")
        assert open_now()["active_subscriptions"] == 3
        accepted = 0
        for number in range(ROUNDS):
            accepted += send([stack.url, second.url], workspace, rule_id, number)
            if number in (ROUNDS // 4, ROUNDS // 2):
                stack.kill("processor" if number == ROUNDS // 4 else "processor-2")
            if number == 3 * ROUNDS // 4:
                second.kill()
        within = 2 * ALIVE_SECONDS + 2 * EVERY
        eventually(lambda: open_now()["connected_clients"] == 2, within=within, what="a killed gateway's sockets gone")

    eventually(lambda: at_rest(workspace), within=60.0, what="everything processed and delivered")
    done = truth(workspace)
    assert done["processed"] >= accepted > ROUNDS * AT_ONCE
    told = figures(stack.url, workspace, "alerts")
    assert (told["processed"], told["errors"]) == (done["processed"], 0)
    assert sum(told["notifications_sent"].values()) == done["delivered"]
    assert told["notifications_sent"]["webhook"] == told["notifications_sent"]["in_app"]
    queue = figures(stack.url, workspace, "queue")
    assert queue["alert"] == {"active": 0, "waiting": 0, "delayed": 0, "completed": done["processed"], "failed": 0}
    assert (queue["healthy"], queue["success_rate"]) == (True, 100.0)
    # Of a process that is killed, what it had not told yet is missing from the recent figures; nothing is there twice.
    recent = eventually(lambda: settled(stack, workspace), within=8 * EVERY, what="recent figures at rest")
    assert done["processed"] / 4 < recent <= done["processed"]


def truth(workspace: Workspace) -> dict[str, Any]:
    (row,) = workspace.rows(TRUTH, workspace.slug)
    return row


def at_rest(workspace: Workspace) -> bool:
    row = truth(workspace)
    return not row["waiting"] and not row["undelivered"]


def settled(stack: Stack, workspace: Workspace) -> int | None:
    """The latencies' count once two looks a flush apart agree."""
    looks = []
    for _ in range(2):
        looks.append(figures(stack.url, workspace, "alerts")["latency"]["count"])
        try:
            eventually(
                lambda: figures(stack.url, workspace, "alerts")["latency"]["count"] != looks[-1], within=EVERY + 1
            )
        except AssertionError:
            return int(looks[-1])
    return None
