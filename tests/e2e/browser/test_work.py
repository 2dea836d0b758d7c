"""What people make, change and set going: rules, silences, what was put aside; by keyboard too."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from convex_common import events
from convex_common.domain.fingerprint import fingerprint, shard_of
from tests.support.installation import Workspace
from tests.support.node import needs_dashboard
from tests.support.visitors import Visitor, rows

pytestmark = [needs_dashboard, pytest.mark.timeout(240)]


def heading(page: Page, name: str) -> None:
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


def test_a_rule_is_made_by_keyboard_changed_by_two_and_deleted(
    workspace: Workspace, visit: Callable[..., Visitor]
) -> None:
    workspace.framework("shop")
    visitor = visit(workspace)
    page = visitor.live()
    page.keyboard.press("g")
    page.keyboard.press("r")
    expect(page.get_by_role("heading", name="Rules", level=1)).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="New rule").first).to_be_focused()
    page.keyboard.press("Enter")
    heading(page, "New rule")
    page.get_by_role("button", name="Make the rule").press("Enter")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    expect(page.get_by_label("Name", exact=True)).to_have_attribute("aria-invalid", "true")
    page.keyboard.type("Checkout is slow")
    for text in ("", "", "checkout_ms", "", "500"):  # framework and type, which are chosen already; then the condition
        page.keyboard.press("Tab")
        page.keyboard.type(text)
    expect(page.get_by_label("Threshold", exact=True)).to_have_value("500")
    page.keyboard.press("Enter")
    heading(page, "Rules")
    page.get_by_role("link", name="Checkout is slow").click()

    rule = workspace.get("/api/v1/rules")["items"][0]
    assert (rule["metric"], rule["threshold_value"]) == ("checkout_ms", 500)
    threshold = page.get_by_label("Threshold", exact=True)
    threshold.fill("700")
    other = workspace.client.patch(f"/api/v1/rules/{rule['id']}", json={"severity": "critical"})
    assert other.status_code == 200, other.text
    visitor.allow(r"status of 412")
    page.get_by_role("button", name="Save").click()
    meanwhile = page.get_by_role("dialog", name="Somebody changed this rule meanwhile")
    expect(meanwhile).to_contain_text("severity")
    meanwhile.get_by_role("button", name="Save mine over it").click()
    expect(page.get_by_text("Checkout is slow is saved.")).to_be_visible()
    rule = workspace.get(f"/api/v1/rules/{rule['id']}")
    assert (rule["threshold_value"], rule["severity"]) == (700, "critical")

    threshold.fill("800")
    page.get_by_role("link", name="Channels").click()
    assert visitor.dialogs == ["Leave without saving what you changed?"]
    page.get_by_role("link", name="Rules", exact=True).last.click()
    expect(page.get_by_role("heading", name="Rules", level=1)).to_be_focused()
    page.get_by_role("switch", name="Checkout is slow is on").press("Space")
    page.get_by_role("dialog").get_by_role("button", name="Turn off").click()
    expect(page.get_by_role("switch", name="Checkout is slow is on")).not_to_be_checked()
    page.get_by_role("link", name="Checkout is slow").click()
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog", name="Delete Checkout is slow?").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("There are no rules yet")).to_be_visible()
    assert workspace.get("/api/v1/rules")["items"] == []


def test_a_page_has_the_focus_at_its_heading_also_after_one_that_never_came(
    workspace: Workspace, visit: Callable[..., Visitor]
) -> None:
    page = visit(workspace).live("/rules")
    heading(page, "Rules")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/ChannelsPage*.js", hold)
    page.get_by_role("link", name="Channels").click()
    expect(page.get_by_role("status").filter(has_text="Loading")).to_be_visible()
    page.get_by_role("link", name="Silences").click()
    expect(page.get_by_role("heading", name="Silences", level=1)).to_be_focused()
    for route in held:
        route.continue_()


def test_what_burns_is_silenced_from_its_page(workspace: Workspace, visit: Callable[..., Visitor]) -> None:
    rule = workspace.rule(workspace.framework())
    trigger = {"alert_rule_id": rule, "current_value": 900, "labels": {"team": 'the "shop"'}}
    workspace.post("/api/v1/triggers", trigger, 202)
    page = visit(workspace, "responder").live()
    expect(rows(page)).to_have_count(1)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    heading(page, "slow")
    page.get_by_role("link", name="Silence…").click()
    expect(page.get_by_text("1 open alert fits")).to_be_visible()
    page.get_by_role("button", name="4 hours").click()
    page.get_by_label("Why").fill("Deployment")
    page.get_by_role("button", name="Silence them").click()
    heading(page, "Silences")
    expect(page.get_by_text("Deployment")).to_be_visible()
    expect(page.get_by_text('team="the \\"shop\\""')).to_be_visible()
    page.get_by_role("button", name="End…").click()
    page.get_by_role("dialog").get_by_role("button", name="End it").click()
    expect(page.get_by_text("Nothing is silenced now")).to_be_visible()
    page.get_by_role("link", name="Expired").click()
    expect(page.get_by_text("Deployment")).to_be_visible()
    (made,) = workspace.get("/api/v1/silences")["items"]
    assert (made["state"], made["comment"]) == ("expired", "Deployment")


def test_what_was_put_aside_is_looked_at_and_sent_round_again(
    workspace: Workspace, visit: Callable[..., Visitor]
) -> None:
    put_aside(workspace, workspace.rule(workspace.framework()))
    page = visit(workspace).live("/queues")
    expect(page.get_by_role("region", name="Queue alert")).to_contain_text("1 in quarantine")
    page.get_by_role("button", name="trigger").press("Enter")
    dialog = page.get_by_role("dialog", name="trigger")
    expect(dialog).to_contain_text("RuntimeError: it was refused")
    dialog.get_by_role("button", name="Replay").click()
    expect(page.get_by_text("1 sent round again.")).to_be_visible()
    expect(page.get_by_text("Nothing is put aside")).to_be_visible()
    page.get_by_role("link", name="Alerts", exact=False).first.click()
    expect(rows(page)).to_have_count(1)


def put_aside(workspace: Workspace, rule: str) -> None:
    """A trigger that failed too often, as the processor leaves it."""
    framework = uuid.UUID(workspace.get(f"/api/v1/rules/{rule}")["framework_id"])
    workspace_id = uuid.UUID(workspace.get("/api/v1/me")["workspace_id"])
    key = fingerprint(workspace_id, framework, uuid.UUID(rule), {})
    trigger = events.Trigger(rule_id=uuid.UUID(rule), framework_id=framework, value=200.0)
    workspace.rows(
        "INSERT INTO quarantine (workspace_id, id, queue, kind, shard, key, payload, attempts, last_error) "
        "VALUES (%s, %s, 'alert', 'trigger', %s, %s, %s, 3, 'RuntimeError: it was refused') RETURNING id",
        workspace_id,
        uuid.uuid4(),
        shard_of(key),
        key,
        events.encode(trigger),
    )
