"""Sockets come and go for ten minutes, and the gateway is as large afterwards as it was when it was warm."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, linear_regression

import psutil
import pytest

from convex_dev.stack import Stack
from tests.support.eventually import eventually
from tests.support.gateways import gateway_beside
from tests.support.installation import workspace_of

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
WARM = 0.3
SLOTS = 100
EVERY = 2.0
MIB = float(1 << 20)
ROOT = Path(__file__).parents[2]


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_churn_leaves_nothing_behind(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(env={"WS_MAX_PER_USER": "0"})
    workspace = workspace_of(stack)
    rule_id = workspace.rule(workspace.framework())
    with gateway_beside(stack) as gateway:
        process = psutil.Process(gateway.pid)

        def metric(name: str) -> float:
            text = gateway.get("/metrics", port=gateway.metrics_port).text
            found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
            assert found is not None, name
            return float(found[1])

        idle = process.num_fds()
        churn = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.churn", gateway.live_url, str(SLOTS)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert churn.stdin is not None
            assert churn.stdout is not None
            churn.stdin.write(workspace.token + "\n")
            churn.stdin.flush()
            assert churn.stdout.readline().strip() == "churning"
            samples: list[tuple[float, float]] = []
            began = time.monotonic()
            while (at := time.monotonic() - began) < SECONDS:
                trigger = {"alert_rule_id": rule_id, "current_value": 200, "labels": {"n": str(len(samples) % 5)}}
                workspace.post("/api/v1/triggers", trigger, 202)
                samples.append((at, process.memory_info().rss / MIB))
                time.sleep(EVERY)
            churn.stdin.write("\n")
            churn.stdin.flush()
            ways = json.loads(churn.stdout.readline())
        finally:
            churn.kill()
            churn.wait(10)
        eventually(lambda: metric("websocket_connections_active") == 0, within=60, what="every socket gone")
        eventually(lambda: process.num_fds() <= idle + 8, within=60, what="as many descriptors as before")
        left = process.num_fds() - idle
    warm = [(at, rss) for at, rss in samples if at >= SECONDS * WARM]
    slope = linear_regression([at for at, _ in warm], [rss for _, rss in warm]).slope
    grown = slope * (warm[-1][0] - warm[0][0])
    print(
        f"{sum(ways.values())} sockets in {SECONDS:g} s: {ways}; RSS {fmean(rss for _, rss in warm):.1f} MiB, "
        f"{slope * 60:+.3f} MiB a minute once warm; {left:+d} descriptors"
    )
    assert sum(ways.values()) > SECONDS
    assert grown < 2.0, f"{grown:.2f} MiB more by the line through {len(warm)} samples"
    workspace.client.close()
