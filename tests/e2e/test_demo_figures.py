"""The demo as a person starts it, watched for ten minutes: quick, well, and hardly a look-up that goes to the database.

CONVEX_FIGURES_SECONDS shortens it for a look at the figures.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import ExitStack

import pytest

from convex_dev.stack import Stack
from tests.e2e.test_figures import figures, subscribed
from tests.support.installation import workspace_of

SECONDS = float(os.environ.get("CONVEX_FIGURES_SECONDS", "600"))
PAGES = 3


@pytest.mark.long
@pytest.mark.timeout(SECONDS + 300)
def test_ten_minutes_of_demo() -> None:
    with Stack(demo=True) as stack, ExitStack() as sockets:
        demo = workspace_of(stack, "demo")
        for _ in range(PAGES):
            subscribed(sockets, stack.url, demo)
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:  # what open pages ask for
            for _ in range(PAGES):
                for status in ("firing", "acknowledged", "resolved"):
                    demo.get("/api/v1/alerts", status=status, limit=50)
            time.sleep(1.0)
        told = {name: figures(stack.url, demo, name) for name in ("health", "alerts", "cache", "queue", "websocket")}
    print(json.dumps(told, indent=2))
    assert told["alerts"]["processed"] > SECONDS / 2
    assert told["alerts"]["latency"]["p95"] < 100
    assert told["queue"]["success_rate"] >= 99.5
    assert told["cache"]["recent"]["hit_rate"] > 75
    assert told["health"]["score"] > 80
    assert told["websocket"]["connected_clients"] == PAGES
