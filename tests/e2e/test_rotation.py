"""The encryption keys of a running installation are changed, and no delivery suffers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from convex_common.secretbox import id_of
from convex_dev.stack import Stack
from tests.support.admin import admin
from tests.support.eventually import eventually
from tests.support.installation import Workspace, workspace_of
from tests.support.receiver import Receiver

pytestmark = pytest.mark.timeout(400)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # an example of the specification
CHANNELS = 10


def test_keys_are_changed_while_deliveries_are_sent(
    new_stack: Callable[..., Stack], receiver: Receiver, tmp_path: Path
) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    tmp_path.chmod(0o711)

    def start(*keys: str) -> Stack:
        return new_stack(home=tmp_path / "home", env={"ENCRYPTION_KEYS": ",".join(keys)})

    stack = start(old)
    workspace = workspace_of(stack, "shop")
    rule_id = workspace.rule(workspace.framework())
    for _ in range(CHANNELS):
        workspace.webhook(receiver.url(), secret=SECRET)
    _send(workspace, rule_id, "first")
    receiver.wait_for_count(CHANNELS, 60)
    stack.stop()

    stack = start(new, old)
    workspace = workspace_of(stack, "shop")
    sent = _Sending(workspace, rule_id)
    with sent:
        sent.wait_for(3)
        for _ in range(3):
            ran = admin(stack.owner_url, "secrets", "rotate", "--batch", "1", ENCRYPTION_KEYS=f"{new},{old}")
            assert ran.code == 0, ran
        sent.wait_for(3)
    assert f"{id_of(old)}: unused" in ran.out
    receiver.wait_for_count(CHANNELS * (1 + sent.count), 120)
    stack.stop()

    stack = start(new)
    workspace = workspace_of(stack, "shop")
    _send(workspace, rule_id, "last")
    wanted = CHANNELS * (2 + sent.count)
    receiver.wait_for_count(wanted, 60)
    eventually(
        lambda: (
            workspace.rows("SELECT status, count(*) FROM deliveries GROUP BY 1")
            == [{"status": "delivered", "count": wanted}]
        ),
        within=30,
        what="every delivery settled",
    )
    assert workspace.rows("SELECT count(*) FROM attempts WHERE outcome <> 'delivered'") == [{"count": 0}]
    assert all("webhook-signature" in request.headers for request in receiver.received)


def _send(workspace: Workspace, rule_id: str, label: str) -> None:
    trigger = {"alert_rule_id": rule_id, "current_value": 200, "labels": {"n": label}}
    workspace.post("/api/v1/triggers", trigger, 202)


class _Sending:
    """Triggers all the while, each of an alert of its own."""

    def __init__(self, workspace: Workspace, rule_id: str) -> None:
        self._workspace = workspace
        self._rule_id = rule_id
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.count = 0

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def wait_for(self, more: int) -> None:
        had = self.count
        eventually(lambda: self.count >= had + more, within=60, what="more triggers")

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            _send(self._workspace, self._rule_id, str(self.count))
            self.count += 1
