"""Pictures of the product at work, in which it is always the same evening; `make pictures` keeps them."""

from __future__ import annotations

import datetime as dt
import math
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, ViewportSize, expect

from convex_dev.stack import Stack
from tests.support.eventually import eventually
from tests.support.installation import Workspace, workspace_of
from tests.support.node import needs_dashboard
from tests.support.past import give_past
from tests.support.receiver import Receiver
from tests.support.visitors import Visitor, rows

pytestmark = [needs_dashboard, pytest.mark.long, pytest.mark.timeout(600)]

SIZE, TALL = ViewportSize(width=1280, height=800), ViewportSize(width=1280, height=1000)
LOOK = {"viewport": SIZE, "reduced_motion": "reduce"}
LEAST = 20_000
"""Bytes of a picture that has something in it."""
MINUTES = 90
BURNS = 7
"""Minutes ago that the checkout became slow."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where `make pictures` wants them, or a place that is thrown away."""
    path = Path(os.environ.get("CONVEX_PICTURES") or tmp_path)
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def shop(stack: Stack, receiver: Receiver) -> Iterator[Workspace]:
    """A shop on a bad evening."""
    workspace = workspace_of(stack, "shop")
    named = httpx.Client(
        base_url=stack.url,
        headers={"authorization": f"Bearer {stack.token('responder', user='ann', workspace='shop')}"},
    )
    checkout, orders, campaign = (
        workspace.framework(name) for name in ("Checkout", "Order pipeline", "Summer campaign")
    )
    workspace.post("/api/v1/channels", {"kind": "in_app", "name": "Everyone's inbox", "config": {}}, 201)
    call = {"kind": "webhook", "name": "On call", "config": {"url": receiver.url()}, "min_severity": "error"}
    workspace.post("/api/v1/channels", call, 201)
    workspace.rule(
        checkout, name="Checkout is slow", metric="latency_p95_ms", threshold_value=350, clear_value=280,
        severity="error", labels={"team": "payments"},
    )  # fmt: skip
    workspace.post("/api/v1/observations", list(evening(checkout)), 202)
    first = eventually(lambda: workspace.get("/api/v1/alerts")["items"], within=30, what="the slow checkout")[0]
    for rule, hosts, value in OTHERS:
        of = {"Checkout": checkout, "Order pipeline": orders, "Summer campaign": campaign}[rule["framework"]]
        made = workspace.rule(of, **{name: given for name, given in rule.items() if name != "framework"})
        for number, host in enumerate(hosts):
            trigger = {"alert_rule_id": made, "current_value": value + number, "labels": host}
            workspace.post("/api/v1/triggers", trigger, 202)
    eventually(
        lambda: len(workspace.get("/api/v1/alerts")["items"]) == 1 + sum(len(hosts) for _, hosts, _ in OTHERS),
        within=30,
    )
    for alert in workspace.get("/api/v1/alerts")["items"]:
        if alert["rule_name"] in ("Disk is filling", "Certificate expires"):
            assert named.post(f"/api/v1/alerts/{alert['id']}/acknowledge", json={}).status_code == 200
    assert named.post(f"/api/v1/alerts/{first['id']}/acknowledge", json={}).status_code == 200
    eventually(lambda: len(receiver.received) >= 1, within=30, what="a delivery")
    yield workspace
    named.close()


def evening(framework: str) -> Iterator[dict[str, Any]]:
    """Ninety minutes of latencies, one a minute, of which the last ones are too long."""
    draw = random.Random(7)
    now = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0)
    for ago in range(MINUTES, -1, -1):
        usual = 190 + 30 * math.sin(ago / 9) + draw.gauss(0, 8)
        value = usual * (2.3 + 0.2 * math.sin(ago / 3)) if ago <= BURNS else usual
        yield {
            "framework_id": framework,
            "metric": "latency_p95_ms",
            "value": round(value, 1),
            "labels": {"region": "eu", "service": "checkout-api"},
            "at": (now - dt.timedelta(minutes=ago)).isoformat(),
        }


OTHERS: tuple[tuple[dict[str, Any], tuple[dict[str, str], ...], float], ...] = (
    (
        {
            "framework": "Checkout",
            "name": "Payments fail",
            "metric": "error_rate_percent",
            "threshold_value": 4,
            "severity": "critical",
        },
        ({"region": "eu", "provider": "card"}, {"region": "us", "provider": "card"}),
        7.4,
    ),
    (
        {
            "framework": "Order pipeline",
            "name": "Disk is filling",
            "metric": "disk_used_percent",
            "threshold_value": 90,
            "severity": "error",
        },
        ({"host": "db-1"}, {"host": "db-2"}),
        91.5,
    ),
    (
        {
            "framework": "Order pipeline",
            "name": "Orders pile up",
            "metric": "queue_depth",
            "threshold_value": 650,
            "severity": "warning",
        },
        ({"queue": "parcels"}, {"queue": "invoices"}, {"queue": "returns"}),
        812,
    ),
    (
        {
            "framework": "Summer campaign",
            "name": "Visitors stop buying",
            "metric": "conversion_rate_percent",
            "condition": "below",
            "threshold_value": 2,
            "severity": "warning",
        },
        ({"page": "sale"},),
        1.2,
    ),
    (
        {
            "framework": "Order pipeline",
            "name": "Certificate expires",
            "metric": "certificate_days",
            "condition": "below",
            "threshold_value": 14,
            "severity": "info",
        },
        ({"host": "api.example.com"},),
        9,
    ),
)


def test_pictures(shop: Workspace, visit: Callable[..., Visitor], folder: Path) -> None:
    page = visit(shop, **LOOK).live()
    expect(rows(page)).to_have_count(10)
    taken = [take(page, folder, "alerts"), take(page, folder, "alerts-dark")]

    page.get_by_role("link", name="Checkout is slow").click()
    expect(page.get_by_role("img", name="threshold 350")).to_be_visible()
    expect(page.get_by_text("Acknowledged by ann", exact=True)).to_be_visible()
    expect(page.get_by_text("delivered").first).to_be_visible()
    page.set_viewport_size(TALL)
    taken += [take(page, folder, "alert"), take(page, folder, "alert-dark")]

    page.get_by_role("link", name="Checkout is slow", exact=True).click()
    expect(page.get_by_role("button", name="Save")).to_be_visible()
    expect(page.locator("canvas")).to_be_visible()
    taken.append(take(page, folder, "rule"))
    assert min(taken) > LEAST, taken


def test_pictures_of_insights(stack: Stack, visit: Callable[..., Visitor], folder: Path) -> None:
    bakery = workspace_of(stack, "bakery")
    give_past(bakery, dt.datetime.now(dt.UTC), counted_days=62, foretold_days=0)
    page = visit(bakery, **LOOK).live("/insights/statistics?days=30")
    page.set_viewport_size(TALL)
    expect(page.get_by_role("region", name="Rules that fire most").first).to_be_visible()
    taken = [take(page, folder, "statistics")]
    page.goto("/insights/patterns")
    expect(page.get_by_role("button", name="Preview and apply…").first).to_be_visible()
    taken.append(take(page, folder, "patterns"))
    assert min(taken) > LEAST, taken
    bakery.client.close()


def take(page: Page, folder: Path, name: str) -> int:
    """A picture of what is at rest, dark where its name says so, and without a pointer in it; its bytes."""
    path = folder / f"{name}.png"
    page.emulate_media(color_scheme="dark" if name.endswith("-dark") else "light")
    page.mouse.move(0, 0)
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("status", name="Loading")).to_have_count(0)
    page.evaluate("new Promise(requestAnimationFrame)")
    page.evaluate("Promise.allSettled(document.getAnimations().map(({ finished }) => finished))")
    page.screenshot(path=path, animations="disabled")
    return path.stat().st_size
