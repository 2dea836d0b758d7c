"""`convex dev up` with the real services and the demo."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from convex_alerts.client import Client
from convex_dev.services import program
from convex_dev.stack import Stack
from tests.support.eventually import eventually


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with Stack(demo=True) as running:
        yield running


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    with Client(stack.url, stack.token()) as made:
        yield made


def convex(stack: Stack, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program("convex"), *words],
        env={"CONVEX_HOME": str(stack.home.path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )


def alerts(client: Client) -> list[dict[str, Any]]:
    return list(client.items("alerts"))


def test_the_demos_first_alert_fires_within_20_seconds_and_alerts_clear(stack: Stack, client: Client) -> None:
    eventually(lambda: alerts(client), within=20, what="the first alert")
    eventually(
        lambda: any(alert["status"] == "resolved" for alert in alerts(client)), within=40, what="a resolved alert"
    )


def test_the_demo_heals_after_the_gateway_was_killed(stack: Stack, client: Client) -> None:
    before = stack.kill("gateway")
    eventually(lambda: stack.pid("gateway") != before, what="the gateway's new process")
    stack.wait_healthy("gateway")
    newest = max(alert["last_seen_at"] for alert in alerts(client))
    eventually(
        lambda: max(alert["last_seen_at"] for alert in alerts(client)) > newest, within=40, what="newer observations"
    )
    rows = {row["name"]: row["restarts"] for row in stack.status()}
    assert (rows["gateway"], rows["demo"]) == (1, 0)


def test_status_names_every_process(stack: Stack) -> None:
    rows = json.loads(convex(stack, "dev", "status", "--json").stdout)
    names = ["postgres", "valkey", "gateway", "processor", "notifier", "analytics", "scheduler", "demo"]
    assert [row["name"] for row in rows] == names
    assert all(set(row) == {"name", "pid", "port", "health", "restarts"} for row in rows)
    assert all(psutil.pid_exists(row["pid"]) and row["health"] == "healthy" for row in rows)


def test_tokens_come_one_a_line_each_of_a_member_of_its_own(stack: Stack) -> None:
    printed = convex(stack, "dev", "token", "--count", "3", "--role", "viewer").stdout.splitlines()
    users = []
    for token in printed:
        with Client(stack.url, token) as one:
            users.append(one.get("me")["user_id"])
    assert len(set(users)) == 3


def test_a_replay_and_a_single_value_reach_a_framework_of_their_own(
    stack: Stack, client: Client, tmp_path: Path
) -> None:
    file = tmp_path / "load.csv"
    file.write_text("timestamp,value\n" + "".join(f"2026-01-01 00:{minute:02}:00,{minute}\n" for minute in range(20)))
    printed = convex(stack, "observe", "--replay", str(file), "--speed", "1200", "--framework", "Mine").stdout
    assert printed == "20 observations of load sent to Mine\n"
    assert convex(stack, "observe", "-1", "--framework", "Mine", "--metric", "load").stdout == "Mine load -1\n"
    assert [framework["name"] for framework in client.items("frameworks")].count("Mine") == 1


def test_sigterm_leaves_no_process(stack: Stack) -> None:
    processes = psutil.Process(stack.state.pid).children(recursive=True)
    assert len(processes) > 8
    assert stack.stop() == 0
    assert not [process for process in processes if process.is_running()]
    began = time.monotonic()
    stack.start()
    assert time.monotonic() - began < 30  # 5 s on a machine that has nothing else to do
