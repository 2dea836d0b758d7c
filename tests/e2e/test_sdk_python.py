"""The Python SDK against a real installation: typed answers, and a feed that outlives the gateway."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from convex_alerts import (
    AsyncClient,
    Change,
    Client,
    Conflict,
    FeedClosed,
    Forbidden,
    Gap,
    Invalid,
    NotFound,
    Observation,
    Outdated,
    Position,
    State,
    Terms,
    Trigger,
)
from convex_alerts.models import Rule
from tests.support.eventually import eventually
from tests.support.installation import Workspace
from tests.support.receiver import Receiver

ROOT = Path(__file__).resolve().parent.parent.parent
QUICK = Terms(attempts=None, base=0.1, longest=0.5, polling=False)
ALERTS = 30


@pytest.fixture
def client(workspace: Workspace) -> Iterator[Client]:
    patient = partial(Client, tries=480, timeout=20, sleep=lambda _: time.sleep(0.25))
    with patient(workspace.stack.url, workspace.token) as made:
        yield made


@pytest.fixture
def rule(client: Client) -> Rule:
    framework = client.frameworks.create(name="shop", labels={"team": "web"})
    return client.rules.create(
        framework_id=framework.id, name="slow", metric="latency", condition="above", threshold_value=100
    )


def test_everything_is_typed(client: Client, rule: Rule, workspace: Workspace, receiver: Receiver) -> None:
    me = client.me()
    assert (me.role, me.workspace_id) == ("owner", workspace.get("/api/v1/me")["workspace_id"])
    assert client.rules.change(rule.id, severity="critical").severity == "critical"
    assert [found.id for found in client.rules.list(enabled=True)] == [rule.id]
    channel = client.channels.create(kind="webhook", name="hook", config={"url": receiver.url()})
    assert channel.generated_secret is not None
    assert client.channels.get(channel.id).generated_secret is None

    assert client.observe([Observation(rule.framework_id, "latency", 250, {"n": "1"})]) == 1
    accepted = client.triggers.send(
        Trigger(rule.id, 300, labels={"n": "2"}), Trigger(rule.id, 400, labels={"n": "3"}), idempotency_key="once"
    )
    assert accepted.accepted == 2
    again = client.triggers.send(
        Trigger(rule.id, 300, labels={"n": "2"}), Trigger(rule.id, 400, labels={"n": "3"}), idempotency_key="once"
    )
    assert again == accepted, "sent again with the key, it counts once"
    eventually(lambda: len(list(client.alerts.list(status=["firing"]))) == 3, within=20, what="three alerts")

    first = client.alerts.page(limit=2)
    second = client.alerts.page(first.next_cursor, limit=2)
    assert [len(first.items), len(second.items), second.next_cursor] == [2, 1, None]
    alert = first.items[0]
    assert (alert.rule_id, alert.severity, alert.is_open) == (rule.id, "critical", True)

    acknowledged = client.alerts.acknowledge(alert.id, version=alert.version)
    assert acknowledged.acknowledged_by == me.user_id
    with pytest.raises(Outdated, match="read it again"):
        client.alerts.resolve(alert.id, version=alert.version)
    assert client.alerts.resolve(alert.id, "restarted it").resolution_notes == "restarted it"
    with pytest.raises(Conflict):
        client.alerts.acknowledge(alert.id)
    others = [found.id for found in client.alerts.list(status=["firing"])]
    outcomes = client.alerts.acknowledge_all([alert.id, *others]).items
    assert [(outcome.ok, outcome.alert is not None) for outcome in outcomes] == [(False, False), *[(True, True)] * 2]
    assert outcomes[0].problem is not None
    assert outcomes[0].problem.status == 409
    [metric] = client.observations.metrics(rule.framework_id)
    assert (metric.metric, metric.label_sets) == ("latency", [{"n": "1"}])
    [series] = client.observations.read(rule.framework_id, "latency", labels={"n": "1"}).series
    assert [point.last for point in series.points] == [250]
    kinds = {entry.kind for entry in client.alerts.timeline(alert.id)}
    assert {"log", "notification"} <= kinds

    eventually(lambda: receiver.received, within=20, what="a webhook")
    delivery = eventually(lambda: next(client.deliveries.list(status="delivered"), None), within=20)
    assert delivery is not None
    assert client.deliveries.get(delivery.id).attempts[0].status_code == 200
    assert client.channels.test(channel.id).status == "accepted"
    assert {queue.name for queue in client.queues.list()} >= {"alert", "notification"}
    assert list(client.queues.quarantine("alert")) == []
    [job, *_] = client.jobs.list()
    assert client.jobs.get(job.name).schedule == job.schedule

    client.rules.delete(rule.id)
    with pytest.raises(NotFound):
        client.rules.get(rule.id)
    with pytest.raises(Invalid) as caught:
        client.rules.create(name="", framework_id=rule.framework_id, metric="m", condition="above", threshold_value=1)
    assert (caught.value.field, caught.value.kind) == ("name", "invalid")
    token = workspace.stack.token("viewer", workspace=workspace.slug)
    with Client(workspace.stack.url, token) as viewer, pytest.raises(Forbidden):
        viewer.frameworks.create(name="no")


def test_feeds_miss_and_double_nothing_while_the_gateway_is_killed(
    client: Client, rule: Rule, workspace: Workspace
) -> None:
    seen: list[Change] = []
    states: list[State] = []
    done = threading.Event()

    def watch() -> None:
        with client.watch(terms=QUICK, on_state=lambda state, _: states.append(state)) as feed:
            for item in feed:
                assert isinstance(item, Change)
                seen.append(item)
                if len(seen) == ALERTS:
                    done.set()
                    break

    async def follow() -> list[Change]:
        found: list[Change] = []
        async with (
            AsyncClient(workspace.stack.url, lambda: workspace.token) as other,
            other.watch(rule.framework_id, terms=QUICK) as feed,
        ):
            async for item in feed:
                assert isinstance(item, Change)
                found.append(item)
                if len(found) == ALERTS:
                    break
        return found

    threading.Thread(target=watch, daemon=True).start()
    followed: list[Change] = []
    thread = threading.Thread(target=lambda: followed.extend(asyncio.run(follow())), daemon=True)
    thread.start()
    figures = "/api/metrics/websocket"
    eventually(lambda: workspace.get(figures)["active_subscriptions"] >= 2, within=30, what="both feeds")
    for number in range(ALERTS):
        client.triggers.send(Trigger(rule.id, 200, labels={"n": str(number)}))
        if number in (ALERTS // 3, 2 * ALERTS // 3):
            workspace.stack.kill("gateway")
    assert done.wait(120), f"{len(seen)} of {ALERTS}"
    thread.join(120)
    for changes in (seen, followed):
        offsets = [change.position.offset for change in changes]
        assert offsets == list(range(offsets[0], offsets[0] + ALERTS))
        assert sorted(int(change.alert.labels["n"]) for change in changes) == list(range(ALERTS))
    assert State.RECONNECTING in states
    workspace.stack.wait_healthy("gateway")


def test_a_feed_begins_where_a_list_was_read_or_says_what_is_too_old(client: Client, rule: Rule) -> None:
    page = client.alerts.page()
    assert page.epoch is not None
    assert page.offset is not None
    client.triggers.send(Trigger(rule.id, 200))
    with client.watch(since=Position(page.epoch, page.offset)) as feed:
        item = next(feed)
        assert isinstance(item, Change)
        assert (item.event, item.position.offset) == ("created", page.offset + 1)
    elsewhere = Position(str(uuid.uuid4()), 5)
    with client.watch(since=elsewhere) as feed:
        assert next(feed) == Gap(elsewhere, Position(page.epoch, page.offset + 1))


def test_what_cannot_be_watched_ends_with_the_reason(workspace: Workspace, client: Client) -> None:
    with (
        Client(workspace.stack.url, "not a token") as nobody,
        nobody.watch() as feed,
        pytest.raises(FeedClosed) as caught,
    ):
        next(feed)
    assert caught.value.code == 4401
    assert feed.state is State.FAILED
    with client.watch(str(uuid.uuid4())) as feed, pytest.raises(NotFound, match="there is no framework"):
        next(feed)


def test_a_token_is_renewed_while_the_feed_goes_on(workspace: Workspace, rule: Rule) -> None:
    asked: list[float] = []

    def token() -> str:
        asked.append(time.monotonic())
        return workspace.stack.token(workspace=workspace.slug, ttl=6)

    states: list[State] = []
    with (
        Client(workspace.stack.url, token) as client,
        client.watch(terms=Terms(renewal=2), on_state=lambda state, _: states.append(state)) as feed,
    ):
        sender = threading.Timer(8, lambda: client.triggers.send(Trigger(rule.id, 200)))
        sender.start()
        item = next(feed)
        sender.join()
    assert isinstance(item, Change)
    assert len(asked) > 3
    assert states == [State.CONNECTING, State.CONNECTED, State.CLOSED], "it never came apart"


SNIPPETS = [
    (f"{document.name} {number}", code)
    for document in (ROOT / "docs" / "sdk-python.md", ROOT / "libs" / "sdk-python" / "README.md")
    for number, code in enumerate(
        re.findall(r"^```python\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL), 1
    )
]


@pytest.mark.parametrize("code", [code for _, code in SNIPPETS], ids=[name for name, _ in SNIPPETS])
def test_what_the_documents_show_works(workspace: Workspace, client: Client, code: str) -> None:
    """Each snippet as a program of its own, in a workspace in which alerts keep firing, until it has said something."""
    rule_id = workspace.rule(workspace.framework("documents"))
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONUNBUFFERED": "1",
        "CONVEX_URL": workspace.stack.url,
        "CONVEX_TOKEN": workspace.token,
    }
    program = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert program.stdout is not None
    said: list[str] = []
    out = program.stdout
    reading = threading.Thread(target=lambda: said.extend(out), daemon=True)
    reading.start()
    numbers = itertools.count()

    def has_said() -> bool:
        client.triggers.send(Trigger(rule_id, 200, labels={"n": str(next(numbers))}))
        time.sleep(0.2)  # a pace for the alerts, no wait for luck
        return bool(said)

    try:
        eventually(has_said, within=60, what="a word of the snippet")
    finally:
        ended = program.poll()
        program.kill()
        program.wait()
        reading.join(10)
    assert "Traceback" not in "".join(said), "".join(said)
    assert ended in (None, 0)
