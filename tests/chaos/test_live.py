"""Every client has every offset once and in order, while gateways are killed with -9 and Redis is restarted."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pytest

from convex_dev.stack import Stack
from tests.chaos.followers import Followers
from tests.support.eventually import eventually
from tests.support.gateways import GatewayProcess, gateway_beside, live_url
from tests.support.installation import Workspace, workspace_of

SECONDS = float(os.environ.get("CHAOS_SECONDS", "300"))
FULL = (int(os.environ.get("CHAOS_SOCKETS", "2000")), 50.0, SECONDS, 30.0)


@dataclass
class Trickle:
    """`rate` triggers a second through whichever gateway takes them, until it is told to stop."""

    urls: tuple[str, ...]
    token: str
    rule_id: str
    rate: float
    accepted: set[str] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Each trigger is offered until a gateway says 202."""
        began, number = time.monotonic(), 0
        with httpx.Client(headers={"Authorization": f"Bearer {self.token}"}, timeout=10.0) as client:
            while not self.over.is_set():
                body = {"alert_rule_id": self.rule_id, "current_value": 200, "labels": {"n": str(number % 40)}}
                for attempt in range(1000):
                    url = self.urls[(number + attempt) % len(self.urls)]
                    with contextlib.suppress(httpx.TransportError):
                        answer = client.post(f"{url}/api/v1/triggers", json=body)
                        if answer.status_code == 202:
                            self.accepted.update(answer.json()["event_ids"])
                            break
                    time.sleep(0.02)
                number += 1
                time.sleep(max(0.0, began + number / self.rate - time.monotonic()))


@pytest.mark.timeout(1200)
@pytest.mark.long
@pytest.mark.parametrize(
    ("sockets", "rate", "seconds", "between"),
    [pytest.param(100, 20.0, 16.0, 4.0, id="short"), pytest.param(*FULL, id="full")],
)
def test_every_client_has_every_offset_once_and_in_order(
    new_stack: Callable[..., Stack], sockets: int, rate: float, seconds: float, between: float
) -> None:
    stack = new_stack(processors=2, env={"WS_MAX_PER_USER": "0"})
    workspace = workspace_of(stack)
    framework_id = workspace.framework()
    rule_id = workspace.rule(framework_id)
    with gateway_beside(stack) as second:
        urls = (stack.url, second.url)
        live = (live_url(stack.url), second.live_url)
        trickle = Trickle(urls, workspace.token, rule_id, rate)
        posting = threading.Thread(target=trickle.run, name="trickle")
        with Followers(sockets, live, workspace.token, framework_id) as followers:
            posting.start()
            try:
                killed = _kill(stack, second, seconds, between)
            finally:
                trickle.over.set()
                posting.join()
            last = _settled(workspace, trickle.accepted)
            report = followers.come_to(last)
    posted = len(trickle.accepted)
    print(f"{sockets} sockets, {posted} triggers accepted, {last} offsets; killed {killed}; {report}")
    assert report.faults == []
    assert report.behind == 0
    assert report.alerts == sockets * last
    assert report.returns >= sockets  # each was at a gateway that was killed
    assert posted >= rate * seconds / 3  # it never stood still for long
    workspace.client.close()


def _kill(stack: Stack, second: GatewayProcess, seconds: float, between: float) -> dict[str, int]:
    """The gateways in turn, and Redis twice; returns how often."""
    killed = {"gateway": 0, "second": 0, "valkey": 0}
    began, kills = time.monotonic(), round(seconds / between)
    for number in range(1, kills + 1):
        time.sleep(max(0.0, began + number * between - time.monotonic()))
        if number % 2:
            stack.kill("gateway")
            killed["gateway"] += 1
        else:
            second.restart()
            killed["second"] += 1
        if number in (kills // 2, kills - 1):
            stack.kill("valkey")
            killed["valkey"] += 1
    eventually(second.ready, within=90, what="the second gateway")
    stack.wait_healthy(timeout=120)
    return killed


def _settled(workspace: Workspace, accepted: set[str]) -> int:
    """The feed's last offset once every accepted event is on the log and nothing more comes."""
    deadline, before = time.monotonic() + 120.0, -1
    while True:
        rows = workspace.rows('SELECT "offset", event_ids FROM alert_log WHERE "offset" IS NOT NULL')
        offset = max((int(row["offset"]) for row in rows), default=0)
        missing = accepted - {str(one) for row in rows for one in row["event_ids"]}
        if not missing and offset == before:
            return offset
        assert time.monotonic() < deadline, f"{len(missing)} accepted events are not on the log"
        before = offset
        time.sleep(1.0)
