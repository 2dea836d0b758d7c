"""Every page: for everybody to use (axe), light and dark, on a telephone, and by the keyboard."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from convex_dev.stack import Stack
from tests.e2e.browser.furnished import OPEN, addressed, furnished
from tests.support.eventually import eventually
from tests.support.installation import Workspace
from tests.support.node import ROOT, needs_dashboard
from tests.support.visitors import Visitor, rows

pytestmark = [needs_dashboard, pytest.mark.timeout(240)]

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
AUDIT = """
async ({ only }) => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"], ...(only ? { runOnly: only } : {}) });
  return violations.flatMap(({ id, impact, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => ({ id, impact, help, target: target.join(" "), failureSummary })));
}
"""
BAD = {"serious", "critical"}
TELEPHONE = ViewportSize(width=360, height=740)
DESK = ViewportSize(width=1280, height=900)
PAGES = {
    "alerts": "/",
    "an alert": "/alerts/{alert}",
    "rules": "/rules",
    "an anomaly rule": "/rules/{anomaly}",
    "a new silence": "/silences/new?matcher=team%3D%22shop%22",
    "channels": "/channels",
    "a delivery": "/deliveries?id={delivery}",
    "statistics": "/insights/statistics?days=30",
    "patterns": "/insights/patterns",
    "predictions": "/insights/predictions",
    "jobs": "/jobs",
    "health": "/health",
    "members": "/settings/members",
}
"""Of each kind one: what every run looks at."""
MORE = {
    "nothing that fits": "/?q=there-is-none",
    "a rule": "/rules/{rule}",
    "a forecast rule": "/rules/{forecast}",
    "a new rule": "/rules/new",
    "silences": "/silences",
    "a channel": "/channels/{channel}",
    "a new channel": "/channels/new",
    "deliveries": "/deliveries",
    "queues": "/queues",
    "a job": "/jobs?job={job}",
    "you": "/settings",
    "API keys": "/settings/keys",
    "audit log": "/settings/audit",
    "no page": "/settings/no/such/page",
    "the API": "/docs",
}
ADDRESSES = [
    *(pytest.param(path, id=name) for name, path in PAGES.items()),
    *(pytest.param(path, id=name, marks=pytest.mark.long) for name, path in MORE.items()),
]


@pytest.fixture(scope="module")
def shop(stack: Stack) -> Iterator[Workspace]:
    workspace = furnished(stack)
    yield workspace
    workspace.client.close()


@pytest.fixture(scope="module")
def visitor(browser: Browser, shop: Workspace) -> Iterator[Visitor]:
    visitor = Visitor(browser, shop.stack.url).sign_in(shop.token)
    visitor.context.add_init_script(path=AXE)
    yield visitor
    visitor.close()


@pytest.fixture(scope="module")
def page(visitor: Visitor, shop: Workspace) -> Page:
    page = visitor.live()
    expect(rows(page)).to_have_count(OPEN)
    return page


@pytest.fixture(scope="module")
def ids(page: Page, shop: Workspace) -> Mapping[str, str]:
    return addressed(shop)


def sideways(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def not_scrolled_sideways(page: Page) -> None:
    """What follows the window's size a frame later has followed."""
    eventually(lambda: sideways(page) == 0, within=30, what="a page as wide as the window")


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


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page_is_for_everybody(page: Page, ids: Mapping[str, str], address: str) -> None:
    page.set_viewport_size(DESK)
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.goto(address.format(**ids))
    settled(page)
    found = faults(page)
    dark(page)
    found += faults(page, "color-contrast")
    assert found == [], json.dumps(found, indent=2)
    page.set_viewport_size(TELEPHONE)
    not_scrolled_sideways(page)


def test_axe_finds_what_is_wrong(page: Page, ids: Mapping[str, str]) -> None:
    """What the others rely on."""
    page.set_viewport_size(DESK)
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.goto(f"/alerts/{ids['alert']}")
    expect(page.get_by_test_id("alert")).to_be_visible()
    settled(page)
    assert faults(page) == []
    page.evaluate("document.querySelector('main').insertAdjacentElement('beforeend', document.createElement('img'))")
    page.evaluate("document.querySelector('h1').style.color = 'var(--line)'")
    assert {"image-alt", "color-contrast"} <= {one["id"] for one in faults(page)}
    page.set_viewport_size(TELEPHONE)
    page.evaluate("document.querySelector('h1').style.width = '400px'")
    assert sideways(page) > 0


def heading(page: Page, name: str) -> None:
    """The page is there, and takes keys."""
    expect(page.get_by_role("heading", name=name, level=1)).to_be_focused()


def went(page: Page, key: str, name: str) -> bool:
    """Two keys are one word within a second, which a busy machine may take for the press of one."""
    page.keyboard.press("g")
    page.keyboard.press(key)
    return page.get_by_role("heading", name=name, level=1).count() == 1


def test_the_list_is_worked_by_keyboard(shop: Workspace, visit: Callable[..., Visitor]) -> None:
    visitor = visit(shop, "responder")
    visitor.context.add_init_script(path=AXE)
    page = visitor.live()
    expect(rows(page)).to_have_count(OPEN)
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
    heading(page, "Checkout is slow")
    for key, name, field in (("r", "Resolve", "Notes"), ("s", "Snooze", "For"), ("m", "Assign", "To whom")):
        press(key)
        dialog = page.get_by_role("dialog", name=name)
        expect(dialog.get_by_label(field, exact=True).first).to_be_focused()
        settled(page)
        assert faults(page) == [], name
        press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    press("Escape")
    heading(page, "Alerts")
    for key, name in {"r": "Rules", "d": "Deliveries", "h": "Health", "a": "Alerts"}.items():
        eventually(partial(went, page, key, name), within=60, what=f"the page {name}")
        heading(page, name)


def test_it_is_dark_where_one_wants_it(shop: Workspace, visit: Callable[..., Visitor]) -> None:
    page = visit(shop, color_scheme="light").live()

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


def test_who_is_not_signed_in_yet_finds_their_way(shop: Workspace, browser: Browser) -> None:
    visitor = Visitor(browser, shop.stack.url)
    visitor.context.add_init_script(path=AXE)
    page = visitor.tab()
    expect(page.get_by_label("Token or API key")).to_be_focused()
    assert faults(page) == []
    dark(page)
    assert faults(page, "color-contrast") == []
    page.set_viewport_size(TELEPHONE)
    not_scrolled_sideways(page)
    visitor.close()
