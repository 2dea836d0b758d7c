"""An upgrade while people use it, as Kubernetes does one: migrate, replace process by process; and its rollback."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from convex_common.postgres import migrate
from convex_common.postgres.standing import Standing
from convex_dev.stack import Stack
from tests.support.eventually import eventually
from tests.support.gateways import GatewayProcess, live_url, ready
from tests.support.installation import Workspace, workspace_of
from tests.support.receiver import Receiver
from tests.support.versions import VERSION, NextVersion

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]

RESTARTING = 1012
NEW_OF = 10
"""One of so many triggers is an alert of its own, which a webhook is told of; the others fold into one."""


class Service:
    """The addresses that a request may go to: what a Kubernetes Service is to the pods behind it."""

    def __init__(self, *urls: str) -> None:
        self.urls = list(urls)

    def remove(self, url: str) -> None:
        """A pod is about to end. Its preStop hook sleeps while this gets around."""
        self.urls.remove(url)
        time.sleep(0.3)

    def any(self, number: int) -> str:
        urls = self.urls
        return urls[number % len(urls)]


class Posters:
    """Triggers all the while, from threads; every answer is kept."""

    def __init__(self, workspace: Workspace, rule_id: str, service: Service) -> None:
        self.statuses: dict[int | str, int] = {}
        self.accepted = 0
        self.new = 0
        self._workspace, self._rule_id, self._service = workspace, rule_id, service
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._post, args=(n,)) for n in range(3)]

    def __enter__(self) -> Posters:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Return when the last answer is there."""
        self._over.set()
        for thread in self._threads:
            thread.join(30)

    def wait_for_more(self, count: int = 30) -> None:
        """Until so many more were accepted."""
        wanted = self.accepted + count
        eventually(lambda: self.accepted >= wanted, within=60, what="further answers")

    def _post(self, thread: int) -> None:
        number = 0
        with httpx.Client(headers={"authorization": f"Bearer {self._workspace.token}"}, timeout=20.0) as client:
            while not self._over.is_set():
                number += 1
                new = number % NEW_OF == 0
                label = f"{thread}-{number}" if new else "folds"
                body = {"alert_rule_id": self._rule_id, "current_value": 200, "labels": {"host": label}}
                try:
                    status: int | str = client.post(
                        f"{self._service.any(number)}/api/v1/triggers", json=body
                    ).status_code
                except httpx.TransportError as error:
                    status = repr(error)
                with self._lock:
                    self.statuses[status] = self.statuses.get(status, 0) + 1
                    self.accepted += status == 202
                    self.new += new and status == 202
                time.sleep(0.08)


class Browser:
    """One that stays: reconnects to another gateway when its own ends, and goes on where it was."""

    def __init__(self, workspace: Workspace, service: Service, number: int) -> None:
        self.offsets: list[int] = []
        self.codes: list[int | None] = []
        self.subscribed = threading.Event()
        self._workspace, self._service, self._number = workspace, service, number
        self._epoch: str | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Browser:
        self._thread.start()
        assert self.subscribed.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Close it."""
        self._over.set()
        self._thread.join(30)

    def _watch(self) -> None:
        headers = {"Authorization": f"Bearer {self._workspace.token}"}
        while not self._over.is_set():
            url = live_url(self._service.any(self._number))
            try:
                with connect(url, additional_headers=headers, max_size=None) as connection:
                    since = {"epoch": self._epoch, "offset": self.offsets[-1]} if self.offsets else None
                    connection.send(json.dumps({"type": "subscribe", **({"since": since} if since else {})}))
                    self._read(connection)
            except ConnectionClosed as closed:
                self.codes.append(closed.rcvd.code if closed.rcvd else None)

    def _read(self, connection: ClientConnection) -> None:
        while not self._over.is_set():
            try:
                frame = json.loads(connection.recv(timeout=0.2))
            except TimeoutError:
                continue
            if frame["type"] == "subscribed":
                self._epoch = frame["epoch"]
                assert frame.get("recovered", True), frame
                self.subscribed.set()
            elif frame["type"] == "alert":
                self.offsets.append(frame["offset"])


def test_nothing_is_lost_and_nobody_is_refused_while_a_new_version_takes_over(
    new_stack: Callable[..., Stack], receiver: Receiver, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    code = tmp_path / "code"
    code.mkdir()
    version = NextVersion(code)
    stack = new_stack(env={"PYTHONPATH": str(code)})
    environment = {**stack.environment, "GATEWAY_PORT": "{port}", "PYTHONPATH": str(code)}
    workspace = workspace_of(stack)
    rule_id = workspace.rule(workspace.framework(), channel_ids=[workspace.webhook(receiver.url())])
    with ExitStack() as running:
        second = running.enter_context(ready(environment))
        service = Service(stack.url, second.url)
        browsers = [running.enter_context(Browser(workspace, service, number)) for number in range(2)]
        posters = running.enter_context(Posters(workspace, rule_id, service))
        posters.wait_for_more()

        version.install()
        version.migrate(stack.environment, stack.owner_url)
        posters.wait_for_more()
        assert running_version(second) != VERSION, "the old gateway goes on, on the new schema"
        new = running.enter_context(ready(environment))
        assert running_version(new) == VERSION
        service.urls.append(new.url)
        service.remove(second.url)
        assert second.terminate() == 0
        service.remove(stack.url)
        restart(stack, "gateway")
        service.urls.append(stack.url)
        restart(stack, "processor", "notifier")
        posters.wait_for_more()

        version.roll_back()
        assert migrate.standing(stack.owner_url) is Standing.AHEAD, "a pod of this version may start on it"
        migrate.upgrade(stack.owner_url)
        assert migrate.standing(stack.owner_url) is Standing.AHEAD, "and leaves it as it is"
        restart(stack, "processor")
        posters.wait_for_more()
        posters.stop()

        assert set(posters.statuses) == {202}, posters.statuses
        eventually(
            lambda: (
                workspace.rows("SELECT count(*) FROM inbox") == [{"count": 0}]
                and workspace.rows("SELECT count(*) FROM deliveries WHERE status = 'pending'") == [{"count": 0}]
            ),
            within=60,
            what="everything that was accepted done",
        )
        (last,) = workspace.rows("SELECT next_offset - 1 AS offset FROM workspace_feed WHERE next_offset > 1")
        for browser in browsers:
            eventually(lambda b=browser: b.offsets[-1:] == [last["offset"]], within=30, what="the last change seen")  # type: ignore[misc]
            browser.stop()

    (seen,) = workspace.rows("SELECT sum(occurrences)::int AS triggers, count(*) AS alerts FROM alerts")
    assert seen == {"triggers": posters.accepted, "alerts": posters.new + 1}, "each trigger once"
    ids = [request.id for request in receiver.received]
    assert len(ids) == len(set(ids)) == posters.new + 1, "each webhook once"
    for browser in browsers:
        assert browser.offsets == list(range(browser.offsets[0], browser.offsets[-1] + 1)), "each change once, in order"
        assert set(browser.codes) <= {RESTARTING}, "told to come back"
    assert any(browser.codes for browser in browsers), "some had to change their gateway"
    assert workspace.rows("SELECT count(*) FROM quarantine") == [{"count": 0}]


def running_version(gateway: GatewayProcess) -> str:
    """What it says of itself."""
    text = gateway.get("/metrics", port=gateway.metrics_port).text
    found = re.search(r'^convex_build_info\{.*version="([^"]+)"', text, re.MULTILINE)
    assert found, text[:500]
    return found[1]


def restart(stack: Stack, *names: str) -> None:
    """End them as Kubernetes does; they are started again, with the code that is there then."""
    pids = {name: stack.pid(name) for name in names}
    for pid in pids.values():
        os.kill(pid, signal.SIGTERM)
    for name, pid in pids.items():
        eventually(lambda n=name, p=pid: stack.state.process(n).pid not in (p, None), within=60, what=f"a new {name}")  # type: ignore[misc]
    stack.wait_healthy(*names, timeout=90)
