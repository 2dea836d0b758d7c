"""The self-audit in a real installation: it passes, names the stage that is dead, and heals by itself."""

from __future__ import annotations

import os
import signal
import threading
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


def assert_nothing_of_it_is_open_or_counted(stack: Stack) -> None:
    with psycopg.connect(stack.owner_url) as owner:
        runs = owner.execute("SELECT count(*) FROM alerts WHERE workspace_id = %s", (WORKSPACE,)).fetchone()
        counted = owner.execute("SELECT coalesce(sum(completed), 0)::int FROM queue_history(NULL)").fetchone()
    assert runs is not None
    assert runs[0] > 3
    assert counted == (0,)
