"""Every page: for everybody to use (axe), light and dark, on a telephone, and by the keyboard."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from convex_dev.stack import Stack
from tests.support.eventually import eventually
from tests.support.installation import Workspace, workspace_of
from tests.support.node import ROOT, needs_dashboard
from tests.support.visitors import Visitor, rows

pytestmark = [needs_dashboard, pytest.mark.timeout(240)]

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
AUDIT = """
async ({ only }) => {
  const { violations } = await axe.run(document, only ? { runOnly: only } : {});
  return violations.flatMap(({ id, impact, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => ({ id, impact, help, target: target.join(" "), failureSummary })));
}
"""
BAD = {"serious", "critical"}
TELEPHONE = ViewportSize(width=360, height=740)
DESK = ViewportSize(width=1280, height=900)
PAGES = {
    "alerts": "/",
    "nothing that fits": "/?q=there-is-none",
    "an alert": "/alerts/{alert}",
    "rules": "/rules",
    "a rule": "/rules/{rule}",
    "a new rule": "/rules/new",
    "silences": "/silences",
    "a new silence": "/silences/new?matcher=team%3D%22shop%22",
    "channels": "/channels",
    "a channel": "/channels/{channel}",
    "a new channel": "/channels/new",
    "deliveries": "/deliveries",
    "a delivery": "/deliveries?id={delivery}",
    "queues": "/queues",
    "jobs": "/jobs",
    "a job": "/jobs?job={job}",
    "health": "/health",
    "you": "/settings",
    "members": "/settings/members",
    "API keys": "/settings/keys",
    "audit log": "/settings/audit",
    "no page": "/settings/no/such/page",
}
API = pytest.param("/docs", marks=pytest.mark.long, id="the API")  # axe looks at its elements for half a minute


@pytest.fixture(scope="module")
def furnished(stack: Stack) -> Workspace:
    """A workspace that has one of everything, and long words in it."""
    workspace = workspace_of(stack)
    rule = workspace.rule(workspace.framework("shop"), name="Checkout is slow", labels={"team": "shop"})
    long = workspace.rule(workspace.framework("warehouse " * 12), name="W" * 120 + " " + "word " * 15)
    workspace.post("/api/v1/channels", {"kind": "in_app", "name": "Everyone's inbox", "config": {}}, 201)
    workspace.webhook("https://hooks.example.com/" + "way/" * 60)
    for severity in ("info", "warning", "error", "critical"):
        trigger = {"alert_rule_id": rule, "current_value": 900, "severity": severity, "labels": {"host": severity}}
        workspace.post("/api/v1/triggers", trigger, 202)
    labels = {f"label-{number}": "x" * 300 for number in range(6)}
    workspace.post("/api/v1/triggers", {"alert_rule_id": long, "current_value": 1e9, "labels": labels}, 202)
    silence = {
        "matchers": [{"name": "host", "op": "=", "value": "z" * 200}],
        "ends_at": (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat(),
        "comment": "Maintenance " * 30,
    }
    workspace.post("/api/v1/silences", silence, 201)
    workspace.post("/api/v1/api-keys", {"name": "ingest from the shop", "role": "editor"}, 201)
    return workspace


@pytest.fixture(scope="module")
def visitor(browser: Browser, furnished: Workspace) -> Iterator[Visitor]:
    visitor = Visitor(browser, furnished.stack.url).sign_in(furnished.token)
    visitor.context.add_init_script(path=AXE)
    yield visitor
    visitor.close()


@pytest.fixture(scope="module")
def page(visitor: Visitor, furnished: Workspace) -> Page:
    page = visitor.live()
    expect(rows(page)).to_have_count(5)
    return page


@pytest.fixture(scope="module")
def ids(page: Page, furnished: Workspace) -> dict[str, str]:
    """Of one of each, for the addresses."""
    delivery = eventually(lambda: furnished.get("/api/v1/deliveries")["items"], what="a delivery")[0]
    found = {noun: furnished.get(f"/api/v1/{noun}s")["items"][0]["id"] for noun in ("alert", "rule", "channel")}
    return {**found, "delivery": delivery["id"], "job": furnished.get("/api/v1/jobs")["items"][0]["name"]}


def faults(page: Page, *only: str) -> list[dict[str, Any]]:
    """What axe finds serious or worse."""
    found: list[dict[str, Any]] = page.evaluate(AUDIT, {"only": only or None})
    return [one for one in found if one["impact"] in BAD]


def settled(page: Page) -> None:
    """Everything that the page asks for is there, and no colour is on its way to another."""
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("status", name="Loading")).to_have_count(0)
    still(page)


def still(page: Page) -> None:
    page.evaluate("Promise.allSettled(document.getAnimations().map(({ finished }) => finished))")


def dark(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    page.evaluate("new Promise(requestAnimationFrame)")
    still(page)


@pytest.mark.parametrize("address", [*(pytest.param(path, id=name) for name, path in PAGES.items()), API])
def test_a_page_is_for_everybody(page: Page, ids: dict[str, str], address: str) -> None:
    page.set_viewport_size(DESK)
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.goto(address.format(**ids))
    settled(page)
    found = faults(page)
    dark(page)
    found += faults(page, "color-contrast")
    assert found == [], json.dumps(found, indent=2)
    page.set_viewport_size(TELEPHONE)
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= TELEPHONE["width"], "it has to be scrolled sideways"


def test_the_list_is_worked_by_keyboard(furnished: Workspace, visit: Callable[..., Visitor]) -> None:
    visitor = visit(furnished, "responder")
    visitor.context.add_init_script(path=AXE)
    page = visitor.live()
    expect(rows(page)).to_have_count(5)
    press = page.keyboard.press
    press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_contain_text("Select up to the alert")
    press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    press("j")
    expect(rows(page).nth(0).get_by_role("link")).to_be_focused()
    press("ArrowDown")
    press("j")
    press("k")
    expect(rows(page).nth(1).get_by_role("link")).to_be_focused()
    press("x")
    press("j")
    press("X")
    expect(page.get_by_text("2 selected")).to_be_visible()
    press("Escape")
    expect(page.get_by_text("2 selected")).to_have_count(0)
    press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("host=critical a r x")
    page.get_by_role("searchbox").fill("host=critical")
    expect(rows(page)).to_have_count(1)
    press("Enter")
    press("a")
    expect(rows(page)).to_have_attribute("data-status", "acknowledged")
    press("Enter")
    expect(page.get_by_test_id("alert")).to_have_attribute("data-status", "acknowledged")
    press("r")
    expect(page.get_by_role("dialog", name="Resolve")).to_be_visible()
    assert faults(page) == []
    press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    press("Escape")
    expect(page.get_by_role("heading", name="Alerts", level=1)).to_be_visible()
    for key, name in {"r": "Rules", "d": "Deliveries", "h": "Health", "a": "Alerts"}.items():
        press("g")
        press(key)
        expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


def test_it_is_dark_where_one_wants_it(furnished: Workspace, visit: Callable[..., Visitor]) -> None:
    page = visit(furnished, color_scheme="light").live()

    def lightness() -> int:
        colour = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3]))

    assert lightness() > 600
    page.emulate_media(color_scheme="dark")
    assert lightness() < 200, "as the system"
    page.get_by_role("button", name="account and appearance").click()
    page.get_by_role("menuitemradio", name="Light").click()
    assert lightness() > 600, "as the reader chose"
    page.reload()
    assert lightness() > 600, "which the browser keeps"


def test_who_is_not_signed_in_yet_finds_their_way(furnished: Workspace, browser: Browser) -> None:
    visitor = Visitor(browser, furnished.stack.url)
    visitor.context.add_init_script(path=AXE)
    page = visitor.tab()
    expect(page.get_by_label("Token or API key")).to_be_focused()
    assert faults(page) == []
    dark(page)
    assert faults(page, "color-contrast") == []
    page.set_viewport_size(TELEPHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= TELEPHONE["width"]
    visitor.close()
