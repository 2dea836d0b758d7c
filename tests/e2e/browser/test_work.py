"""What people make, change and set going: rules, silences, what was put aside; by keyboard too."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from convex_common import events
from convex_common.domain.fingerprint import fingerprint, shard_of
from tests.support.installation import Workspace
from tests.support.node import needs_dashboard
from tests.support.visitors import Visitor, rows

pytestmark = [needs_dashboard, pytest.mark.timeout(240)]


def changed_by_another(workspace: Workspace, rule: str, **fields: object) -> None:
    answer = workspace.client.patch(f"/api/v1/rules/{rule}", json=fields)
    assert answer.status_code == 200, answer.text


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
    changed_by_another(workspace, rule["id"], severity="critical")
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
    expect(page.get_by_role("row", name="Checkout is slow")).to_contain_text("critical")
    changed_by_another(workspace, rule["id"], severity="error")
    page.get_by_role("switch", name="Checkout is slow is on").press("Space")
    asks = page.get_by_role("dialog", name="Turn Checkout is slow off?")
    asks.get_by_role("button", name="Turn off").click()
    expect(asks).to_contain_text("Somebody changed this rule meanwhile: severity. It is on.")
    assert workspace.get(f"/api/v1/rules/{rule['id']}")["enabled"]
    asks.get_by_role("button", name="Turn off").click()
    expect(page.get_by_role("switch", name="Checkout is slow is on")).not_to_be_checked()
    expect(page.get_by_role("row", name="Checkout is slow")).to_contain_text("error")
    page.get_by_role("link", name="Checkout is slow").click()
    expect(page.get_by_label("Severity")).to_have_value("error")  # as it is by now, not as the page last knew it
    page.get_by_role("button", name="Delete…").click()
    changed_by_another(workspace, rule["id"], threshold_value=900)
    dialog = page.get_by_role("dialog", name="Delete Checkout is slow?")
    dialog.get_by_role("button", name="Delete").click()
    expect(dialog).to_contain_text("Somebody changed this rule meanwhile: threshold. It is not deleted.")
    expect(page.get_by_label("Threshold", exact=True)).to_have_value("900")
    dialog.get_by_role("button", name="Delete").click()
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


def fire(workspace: Workspace, rule: str, *hosts: str) -> None:
    for host in hosts:
        trigger = {"alert_rule_id": rule, "current_value": 900, "labels": {"host": host}}
        workspace.post("/api/v1/triggers", trigger, 202)


def open_alerts(workspace: Workspace) -> dict[str, dict[str, Any]]:
    """What is open, by its host."""
    return {one["labels"]["host"]: one for one in workspace.get("/api/v1/alerts", status=["firing"])["items"]}


def test_many_are_snoozed_and_assigned_to_another_by_keyboard(
    workspace: Workspace, visit: Callable[..., Visitor]
) -> None:
    workspace.post("/api/v1/members", {"user_id": "auth0|7", "role": "viewer", "name": "Ada L."}, 201)
    fire(workspace, workspace.rule(workspace.framework()), "a", "b", "c")
    page = visit(workspace, "responder").live()
    expect(rows(page)).to_have_count(3)
    press = page.keyboard.press
    for key in ("j", "x", "j", "j", "X", "m"):
        press(key)
    dialog = page.get_by_role("dialog", name="Assign 3 alerts")
    whom = dialog.get_by_role("combobox", name="To whom")
    expect(whom).to_be_focused()
    whom.fill("nobody is called that")
    expect(dialog.get_by_text("No member is called that.")).to_be_visible()
    whom.fill("ada")
    expect(dialog.get_by_role("option")).to_have_text(["Ada L.auth0|7"])
    press("ArrowDown")
    expect(dialog.get_by_role("option")).to_have_attribute("data-highlighted", "")
    press("Enter")
    expect(page.get_by_text("3 assigned to Ada L.")).to_be_visible()
    expect(page.get_by_role("dialog", name="Assign")).to_have_count(0)
    for row in range(3):
        expect(rows(page).nth(row)).to_contain_text("for auth0|7")
    assert {one["assigned_to"] for one in open_alerts(workspace).values()} == {"auth0|7"}

    page.get_by_role("checkbox", name="Select all").check()
    press("s")
    dialog = page.get_by_role("dialog", name="Snooze 3 alerts")
    expect(dialog.get_by_label("For", exact=True)).to_be_focused()
    page.keyboard.type("000")
    press("Enter")
    expect(dialog.get_by_text("At most 30 days")).to_have_count(2)  # at the field, and for the form
    dialog.get_by_role("button", name="4 h").click()
    ended: list[str] = []

    def end_one_first(route: Route) -> None:
        """Somebody else is quicker, by less than the page can know."""
        ended.append(open_alerts(workspace)["b"]["id"])
        workspace.post(f"/api/v1/alerts/{ended[0]}/resolve", {}, 200)
        route.continue_()

    page.route("**/api/v1/alerts/bulk", end_one_first)
    dialog.get_by_role("button", name="Snooze", exact=True).click()
    expect(page.get_by_text("2 snoozed until")).to_be_visible()
    expect(page.get_by_text("1 stays as it is.").first).to_contain_text("(host=b)")
    snoozed = open_alerts(workspace)
    assert snoozed.keys() == {"a", "c"}
    assert all(one["snoozed_until"] is not None for one in snoozed.values())


def test_an_alert_that_another_took_meanwhile_stays_theirs(workspace: Workspace, visit: Callable[..., Visitor]) -> None:
    fire(workspace, workspace.rule(workspace.framework()), "a")
    visitor = visit(workspace)
    page = visitor.live()
    page.get_by_role("link", name="slow").click()
    heading(page, "slow")
    alert = open_alerts(workspace)["a"]
    workspace.stack.token("responder", workspace=workspace.slug)  # and with it the member
    taken: list[Route] = []

    def take_it_first(route: Route) -> None:
        if not taken:
            workspace.post(f"/api/v1/alerts/{alert['id']}/assign", {"user_id": f"{workspace.slug}-responder"}, 200)
        taken.append(route)
        route.continue_()

    page.route("**/assign", take_it_first)
    visitor.allow(r"status of 412")
    page.get_by_role("button", name="Assign to me").click()
    expect(page.get_by_text(f"Meanwhile it was assigned to {workspace.slug}-responder.").first).to_be_visible()
    expect(page.get_by_text(f"Assigned to {workspace.slug}-responder.", exact=False).last).to_be_visible()
    assert len(taken) == 1
    page.get_by_role("button", name="Assign to me").click()
    expect(page.get_by_text("Assigned to you.")).to_be_visible()
    page.get_by_role("button", name="Snooze 4 h").click()
    expect(page.get_by_text("nobody is told before")).to_be_visible()
    page.get_by_role("button", name="End the snooze").click()
    expect(page.get_by_text("Not snoozed.")).to_be_visible()
    page.get_by_role("button", name="Assign…").click()
    page.get_by_role("dialog", name="Assign").get_by_role("button", name="To nobody in particular").click()
    expect(page.get_by_text("Assigned to nobody.", exact=False).last).to_be_visible()


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
