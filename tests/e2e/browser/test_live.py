"""The list in a real browser follows what happens: by itself, in every tab, and over the death of its gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from convex_dev.stack import Stack
from tests.support.eventually import eventually
from tests.support.gateways import GatewayProcess, gateway_beside
from tests.support.installation import Workspace
from tests.support.node import needs_dashboard
from tests.support.visitors import Visitor, connection, rows

pytestmark = [needs_dashboard, pytest.mark.timeout(240)]

DEADLINE = 15_000
"""Milliseconds: far less than any poll, far more than a busy machine takes."""


@pytest.fixture
def second(stack: Stack) -> Iterator[GatewayProcess]:
    with gateway_beside(stack) as gateway:
        yield gateway


def fire(workspace: Workspace, rule: str, *hosts: str) -> None:
    for host in hosts:
        trigger = {"alert_rule_id": rule, "current_value": 900, "labels": {"host": host}}
        workspace.post("/api/v1/triggers", trigger, 202)


def shown(page: Page) -> list[str]:
    """Ids of what the list shows, in its order."""
    return [str(row.get_attribute("data-id")) for row in rows(page).all()]


def known(workspace: Workspace) -> list[str]:
    """Ids of what is open, the newest first."""
    answer = workspace.get("/api/v1/alerts", status=["firing", "acknowledged"], limit=200)
    return [alert["id"] for alert in answer["items"]]


def test_what_one_does_another_sees(workspace: Workspace, visit: Callable[..., Visitor]) -> None:
    rule = workspace.rule(workspace.framework())
    here, there = visit(workspace).live(), visit(workspace, "responder").live()
    for page in (here, there):
        expect(page.get_by_text("All clear")).to_be_visible()
        page.evaluate("window.kept = true")
    fire(workspace, rule, "web-1")
    for page in (here, there):
        expect(rows(page)).to_have_count(1, timeout=DEADLINE)
        expect(page).to_have_title("(1) Alerts · Convex Alerts")
    here.get_by_role("button", name="Acknowledge").click()
    expect(here.get_by_text("Acknowledged: slow")).to_be_visible()
    expect(rows(there)).to_have_attribute("data-status", "acknowledged", timeout=DEADLINE)
    expect(rows(there)).to_contain_text(f"by {workspace.slug}-owner")

    there.get_by_role("link", name="slow").click()
    expect(there.get_by_role("heading", name="slow", level=1)).to_be_focused()
    there.keyboard.press("r")
    there.get_by_label("Notes").fill("The cache was cold.\nIt is warm now.")
    there.keyboard.press("Control+Enter")
    expect(there.get_by_test_id("alert")).to_contain_text(f"resolved by {workspace.slug}-responder")
    expect(rows(here)).to_have_count(0, timeout=DEADLINE)
    expect(here.get_by_text("All clear")).to_be_visible()
    log = there.get_by_role("region", name="What happened, and why")
    expect(log.get_by_text(f"Acknowledged by {workspace.slug}-owner")).to_be_visible()
    expect(log.get_by_text("The cache was cold.")).to_be_visible()
    assert here.evaluate("window.kept"), "the list was loaded anew"
    assert there.evaluate("window.kept"), "the page was loaded anew"


def test_many_are_acted_on_at_once(workspace: Workspace, visit: Callable[..., Visitor]) -> None:
    rule = workspace.rule(workspace.framework())
    fire(workspace, rule, *(f"web-{number}" for number in range(6)))
    page = visit(workspace).live()
    expect(rows(page)).to_have_count(6, timeout=DEADLINE)
    boxes = page.get_by_role("list", name="Alerts").get_by_role("checkbox")
    boxes.nth(0).click()
    boxes.nth(3).click(modifiers=["Shift"])
    expect(page.get_by_text("4 selected")).to_be_visible()
    page.get_by_role("button", name="Acknowledge", exact=True).click()
    expect(page.get_by_text("4 acknowledged")).to_be_visible()
    expect(page.locator("li[data-status=acknowledged]")).to_have_count(4)
    page.get_by_role("checkbox", name="Select all").click()
    page.get_by_role("button", name="Resolve…", exact=True).click()
    dialog = page.get_by_role("dialog", name="Resolve 6 alerts")
    dialog.get_by_label("Notes").fill("Deployed anew")
    dialog.get_by_role("button", name="Resolve").click()
    expect(page.get_by_text("All clear")).to_be_visible()
    page.get_by_role("radio", name="Resolved").check(force=True)
    expect(rows(page)).to_have_count(6)
    resolved = workspace.get("/api/v1/alerts", status="resolved")["items"]
    assert {alert["resolution_notes"] for alert in resolved} == {"Deployed anew"}


def test_a_gateway_that_is_killed_loses_and_doubles_nothing(
    workspace: Workspace, second: GatewayProcess, visit: Callable[..., Visitor]
) -> None:
    rule = workspace.rule(workspace.framework())
    fire(workspace, rule, "before-1", "before-2")
    visitor = visit(workspace, url=second.url)
    visitor.allow("WebSocket connection", "ERR_CONNECTION_REFUSED", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET")
    page = visitor.live()
    expect(rows(page)).to_have_count(2, timeout=DEADLINE)
    page.evaluate("window.kept = true")
    second.kill()
    expect(connection(page)).to_contain_text("Reconnecting")
    expect(connection(page)).to_contain_text("Retry now")
    gone = known(workspace)[0]
    workspace.post(f"/api/v1/alerts/{gone}/resolve", {}, 200)
    fire(workspace, rule, *(f"during-{number}" for number in range(4)))
    eventually(lambda: len(known(workspace)) == 5, what="the alerts of the outage")
    assert gone in shown(page), "it cannot know yet"
    second.restart()
    eventually(second.ready, within=90, what="the gateway")
    expect(connection(page)).to_have_attribute("data-state", "connected", timeout=120_000)
    expect(connection(page)).to_contain_text("Live")
    expect(rows(page)).to_have_count(5, timeout=DEADLINE)
    fire(workspace, rule, "after")
    expect(rows(page)).to_have_count(6, timeout=DEADLINE)
    assert shown(page) == known(workspace)
    assert page.evaluate("window.kept"), "it was loaded anew"
