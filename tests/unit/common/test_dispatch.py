"""The installed dramatiq still has the script that the wake-up token is patched into."""

from __future__ import annotations

import json
import re
from typing import Any

from convex_common.contracts import EVENTS_ACCEPTED, EventsAccepted
from convex_common.redis.dispatch import enqueue_arguments, enqueue_script, hint_script, stock_script, with_wake_token


def test_the_installed_dramatiq_takes_the_patch() -> None:
    patched = with_wake_token(stock_script())
    assert patched is not None, "dramatiq's enqueue script has changed: look at it, then adapt the patch"
    assert patched.count(b'queue_full_name .. ".wake"') == 2
    assert len(patched.splitlines()) == len(stock_script().splitlines()) + 3, "nothing but the token was added"


def test_the_script_takes_the_arguments_that_senders_give() -> None:
    """Their order is documented in the script's own header."""
    header = re.search(rb"args=\[(.*?), \.\.\.\]", stock_script())
    assert header is not None
    assert header.group(1).decode().split(", ") == [
        "command",
        "timestamp",
        "queue_name",
        "worker_id",
        "heartbeat_timeout",
        "dead_message_ttl",
        "do_maintenance",
        "max_unpack_size",
    ]
    arguments = enqueue_arguments(EVENTS_ACCEPTED, EventsAccepted((1,)), None)
    assert arguments[0] == "enqueue"
    assert arguments[2] == "alert"
    data = arguments[9]
    assert isinstance(data, bytes)
    message: dict[str, Any] = json.loads(data)
    assert message["options"]["redis_message_id"] == arguments[8]


def test_another_script_is_not_patched() -> None:
    assert with_wake_token(b"return 1") is None
    assert with_wake_token(stock_script() * 2) is None


def test_a_hint_runs_the_same_script_behind_a_guard() -> None:
    script = hint_script(4).text
    assert script.endswith(enqueue_script().text)
    assert b">= 4" in script.splitlines()[0]
