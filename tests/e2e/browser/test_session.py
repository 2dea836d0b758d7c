"""Signing in once, working by cookie, signing out, a session that ended, and what a role allows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.installation import Workspace
from tests.support.node import needs_dashboard
from tests.support.visitors import Visitor, rows

pytestmark = [needs_dashboard, pytest.mark.timeout(240)]

REFUSED = "the server responded with a status of 401"


def sign_in(page: Page, token: str) -> None:
    page.get_by_label("Token or API key").fill(token)
    page.get_by_role("button", name="Sign in").click()


def test_a_person_signs_in_once_works_and_signs_out(workspace: Workspace, browser: Browser) -> None:
    visitor = Visitor(browser, workspace.stack.url)
    visitor.allow(REFUSED)
    page = visitor.tab("/rules?q=slow")
    expect(page.get_by_label("Token or API key")).to_be_focused()
    sign_in(page, "nonsense")
    expect(page.get_by_role("alert")).to_contain_text("token")
    sign_in(page, workspace.token)
    expect(page.get_by_role("heading", name="Rules", level=1)).to_be_visible()
    expect(page.get_by_label("Search")).to_have_value("slow")
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert workspace.token not in kept
    assert page.evaluate("document.cookie") == "", "no script can read it"
    page.reload()
    expect(page.get_by_role("heading", name="Rules", level=1)).to_be_visible()
    page.get_by_role("button", name="account and appearance").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_label("Token or API key")).to_be_visible()
    page.goto("/")
    expect(page.get_by_label("Token or API key")).to_be_visible()
    visitor.close()


def test_who_is_signed_out_elsewhere_is_told_and_comes_back_to_the_same_page(
    workspace: Workspace, visit: Callable[..., Visitor]
) -> None:
    visitor = visit(workspace)
    visitor.allow(REFUSED, "WebSocket connection")
    page = visitor.live("/rules")
    workspace.rows(
        "UPDATE sessions SET expires_at = now() FROM workspaces WHERE workspaces.id = workspace_id AND slug = %s "
        "RETURNING sessions.id",
        workspace.slug,
    )
    page.get_by_role("link", name="Channels").click()
    expect(page.get_by_role("alert")).to_contain_text("Your session has ended. Sign in again.")
    sign_in(page, workspace.token)
    expect(page.get_by_role("heading", name="Channels", level=1)).to_be_visible()


def test_who_may_only_look_can_do_nothing(workspace: Workspace, visit: Callable[..., Visitor]) -> None:
    rule = workspace.rule(workspace.framework())
    workspace.webhook("https://hooks.example.com/")
    workspace.post("/api/v1/triggers", {"alert_rule_id": rule, "current_value": 120}, 202)
    page = visit(workspace, "viewer").live()
    expect(rows(page)).to_have_count(1)
    expect(rows(page).get_by_role("button")).to_have_count(0)
    page.keyboard.press("j")
    page.keyboard.press("a")
    page.keyboard.press("r")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="slow", level=1)).to_be_visible()
    expect(page.get_by_role("main").get_by_role("button", name="Acknowledge")).to_have_count(0)

    page.get_by_role("link", name="Rules").click()
    page.get_by_role("button", name="New rule").press("Enter")
    expect(page.get_by_text("This takes the role editor; yours is viewer.").first).to_be_visible()
    page.get_by_role("switch", name="slow is on").press("Space")
    expect(page.get_by_role("switch", name="slow is on")).to_be_checked()
    page.get_by_role("link", name="Channels").click()
    page.get_by_role("button", name="Test hook").press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("link", name="Silences").click()
    expect(page.get_by_role("link", name="New silence")).to_have_count(0)
    page.get_by_role("link", name="Jobs").click()
    expect(page.get_by_text("Admins see the jobs")).to_be_visible()
    assert workspace.get("/api/v1/alerts")["items"][0]["status"] == "firing"
    assert workspace.get(f"/api/v1/rules/{rule}")["enabled"]


def test_the_api_is_described_without_anything_from_elsewhere(workspace: Workspace, browser: Browser) -> None:
    visitor = Visitor(browser, workspace.stack.url)
    page = visitor.tab("/docs")
    operations = page.locator("#operations .operation")
    expect(operations.nth(30)).to_be_attached()
    everything = operations.count()
    page.locator("#find").fill("acknowledge")
    expect(page.locator("#operations .operation:not([hidden])").first).to_be_visible()
    assert 0 < page.locator("#operations .operation:not([hidden])").count() < everything / 3
    page.goto("/docs#acknowledge_alert")
    expect(page.locator("#acknowledge_alert")).to_be_visible()
    visitor.close()
