"""What people try and set going: a channel with its tests, a job beside its timetable."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.support.installation import Workspace
from tests.support.node import needs_dashboard
from tests.support.receiver import Receiver, Reply
from tests.support.visitors import Visitor

pytestmark = [needs_dashboard, pytest.mark.timeout(240)]

JOB = "job-cleanup"


def test_a_channel_is_made_tested_and_deleted(
    workspace: Workspace, receiver: Receiver, visit: Callable[..., Visitor]
) -> None:
    page = visit(workspace, "editor").live("/channels")
    page.get_by_role("link", name="New channel").first.click()
    page.get_by_label("Kind").select_option("Webhook")
    page.get_by_role("button", name="Make the channel").click()
    expect(page.get_by_label("Name", exact=True)).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Name", exact=True).fill("On call")
    page.get_by_label("Address").fill(receiver.url())
    page.get_by_role("button", name="Make the channel").click()
    once = page.get_by_role("dialog", name="The webhook's secret")
    expect(once).to_contain_text("whsec_")
    once.get_by_role("button", name="I have kept it").click()
    expect(page.get_by_role("heading", name="On call", level=1)).to_be_visible()
    expect(page.get_by_text("whsec_")).to_have_count(0)

    page.get_by_role("button", name="Test", exact=True).click()
    test = page.get_by_role("dialog", name="Test of On call")
    expect(test).to_contain_text("The other side took it.")
    expect(test).to_contain_text("200")
    assert len(receiver.received) == 1, "a test is sent once"
    receiver.script(Reply(400, body=b"nobody lives here"))
    test.get_by_role("button", name="Send another").click()
    expect(test).to_contain_text("The other side refused it for good.")
    expect(test).to_contain_text("nobody lives here")
    test.get_by_text("Close", exact=True).click()
    expect(test).to_have_count(0)
    assert [one["status"] for one in workspace.get("/api/v1/deliveries")["items"]] == ["failed", "delivered"]

    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog", name="Delete On call?").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("On call is deleted.")).to_be_visible()
    assert workspace.get("/api/v1/channels")["items"] == []


def test_a_job_is_run_suspended_and_resumed(workspace: Workspace, visit: Callable[..., Visitor]) -> None:
    watched = visit(workspace, "admin").live("/jobs")
    row = watched.get_by_role("row", name=JOB)
    expect(row).to_contain_text("every 12 hours")
    row.get_by_role("button", name=f"Suspend {JOB}").press("Enter")
    expect(watched.get_by_text("This takes the role owner; yours is admin.").first).to_be_visible()
    assert not workspace.get(f"/api/v1/jobs/{JOB}")["suspended"]

    page = visit(workspace).live("/jobs")
    row = page.get_by_role("row", name=JOB)
    row.get_by_role("button", name=f"Suspend {JOB}").click()
    expect(page.get_by_text(f"{JOB} is off its timetable until somebody resumes it.")).to_be_visible()
    expect(row).to_contain_text("when it is resumed")
    row.get_by_role("button", name=f"Resume {JOB}").click()
    expect(page.get_by_text(f"{JOB} is on its timetable again.")).to_be_visible()
    expect(row.get_by_role("button", name=f"Suspend {JOB}")).to_be_visible()

    row.get_by_role("button", name=JOB, exact=True).click()
    dialog = page.get_by_role("dialog", name=JOB)
    dialog.get_by_role("button", name=f"Run now: {JOB}").click()
    expect(page.get_by_text(f"A run of {JOB} is asked for.")).to_be_visible()
    asked = dialog.get_by_role("row", name=f"{workspace.slug}-owner")
    expect(asked.first).to_contain_text("completed")
    dialog.get_by_text("Close", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    events = {entry["action"] for entry in workspace.get("/api/v1/audit")["items"]}
    assert {"job.suspended", "job.resumed", "job.run"} <= events
