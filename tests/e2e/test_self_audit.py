"""The self-audit in a real installation: it passes, names the stage that is dead, and heals by itself."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import pytest

from convex_common.domain.self_audit import WORKSPACE, Standing
from convex_common.postgres import self_audits
from convex_dev.stack import Stack
from tests.support.eventually import eventually
from tests.support.jobs import running
from tests.support.ports import free_port


class Switch:
    """A dead man's switch: counts who tells it."""

    def __init__(self) -> None:
        self.told = 0
        switch = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                switch.told += self.path == "/ping/only-for-us"
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/ping/only-for-us"


@pytest.fixture
def switch() -> Iterator[Switch]:
    made = Switch()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join(10)


RUNS = "convex_self_audit_runs_total"


def standing(stack: Stack) -> Standing:
    with psycopg.connect(stack.database_url) as connection:
        return self_audits.read_now(connection) or Standing()


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process that is there and does nothing."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.long
def test_it_passes_names_what_is_dead_and_heals(new_stack: Callable[..., Stack], switch: Switch) -> None:
    port = free_port()
    stack = new_stack(
        port=port,
        env={
            "SELF_AUDIT_URL": f"http://127.0.0.1:{port}",
            "SELF_AUDIT_SECONDS": "1",
            "SELF_AUDIT_DEADLINE_SECONDS": "15",
            "DEADMAN_URL": switch.url,
        },
    )

    def passes() -> None:
        before = standing(stack).last_passed_at
        eventually(lambda: standing(stack).last_passed_at != before, within=120, what="a run that passes")

    passes()
    eventually(lambda: switch.told > 0, within=30, what="the ping")
    assert set(standing(stack).seconds) >= {"accepted", "stored", "seen", "notified", "resolved"}

    def misses(service: str, stage: str) -> None:
        with frozen(stack.pid(service)):
            eventually(lambda: standing(stack).stage == stage, within=120, what=f"{service} dead, {stage} missed")
            told, ended = switch.told, standing(stack).ended_at
            eventually(lambda: standing(stack).ended_at != ended, within=120, what="one more run")
            assert standing(stack).passed is False
            assert switch.told == told, "only what was proved is told"
        passes()

    misses("processor", "stored")
    misses("notifier", "notified")
    stack.kill("valkey")
    passes()
    assert_nothing_of_it_is_open_or_counted(stack)
    log = stack.log("scheduler")
    assert "the self-audit passed" in log
    assert "only-for-us" not in log
    assert "cvx_" not in log


@pytest.mark.long
def test_of_two_schedulers_one_makes_each_run_and_the_other_goes_on_where_one_was_killed(
    new_stack: Callable[..., Stack], switch: Switch
) -> None:
    every = 2.0
    stack = new_stack()
    env = {
        **stack.environment,
        "PATH": os.environ["PATH"],
        "METRICS_HOST": "127.0.0.1",
        "SELF_AUDIT_URL": stack.url,
        "SELF_AUDIT_SECONDS": str(every),
        "SELF_AUDIT_DEADLINE_SECONDS": "60",
        "DEADMAN_URL": switch.url,
    }
    with running("convex-scheduler", env) as first:
        eventually(lambda: switch.told > 0, within=120, what="a run that passed")
        with frozen(stack.pid("processor")):
            eventually(lambda: open_runs(stack) == 1 or None, within=60, what="a run that waits for the processor")
            first.kill()
    before, told = standing(stack), switch.told
    assert before.passed, "a run that was cut off is no failure"
    with running("convex-scheduler", env) as second, running("convex-scheduler", env) as third:
        began = time.monotonic()
        eventually(lambda: switch.told >= told + 6, within=120, what="six more runs that passed")
        both = (second, third)
        eventually(lambda: all(one.metric(f'{RUNS}{{outcome="failed"}}') == 0 for one in both), within=30)
        for one in both:
            assert one.stop() == 0
        most = (time.monotonic() - began) / every + 1
    with psycopg.connect(stack.owner_url) as owner:
        runs = owner.execute(
            "SELECT labels->>'run', status FROM alerts WHERE workspace_id = %s ORDER BY id", (WORKSPACE,)
        ).fetchall()
    assert len({run for run, _ in runs}) == len(runs), "each run has one alert"
    assert {status for _, status in runs[:-1]} == {"resolved"}, "the next one closed what was cut off"
    assert 6 <= switch.told - told <= most, "the switch is told once a run"
    # One was cut off by kill -9; at the end one more may have been, by SIGTERM.
    assert 1 <= len(runs) - switch.told <= 2, "no run is made twice"
    assert standing(stack).passed


def open_runs(stack: Stack) -> int:
    """Runs whose events no processor has taken."""
    with psycopg.connect(stack.owner_url) as owner:
        row = owner.execute("SELECT count(*) FROM inbox WHERE workspace_id = %s", (WORKSPACE,)).fetchone()
    return 0 if row is None else int(row[0])


def assert_nothing_of_it_is_open_or_counted(stack: Stack) -> None:
    with psycopg.connect(stack.owner_url) as owner:
        runs = owner.execute("SELECT count(*) FROM alerts WHERE workspace_id = %s", (WORKSPACE,)).fetchone()
        told = owner.execute("SELECT count(*) FROM audit_log WHERE workspace_id = %s", (WORKSPACE,)).fetchone()
        counted = owner.execute("SELECT coalesce(sum(completed), 0)::int FROM queue_history(NULL)").fetchone()
    assert runs is not None
    assert runs[0] > 3
    assert counted == (0,)
    assert told == (0,), "the audit log is kept for ever"
