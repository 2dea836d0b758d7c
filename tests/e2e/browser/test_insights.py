"""What is known of the past, in a real browser: figures, patterns that are applied, predictions, verdicts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from convex_dev.stack import Stack
from tests.e2e.browser.furnished import ANOMALY, rhythm
from tests.support.eventually import eventually
from tests.support.installation import Workspace, workspace_of
from tests.support.node import needs_dashboard
from tests.support.past import Past, give_past
from tests.support.visitors import Visitor, rows

pytestmark = [needs_dashboard, pytest.mark.timeout(240)]

COLOURS = """
(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const found = new Set();
  for (let at = 0; at < data.length; at += 4) if (data[at + 3] === 255) found.add(data.slice(at, at + 3).join());
  return [...found];
}
"""


@pytest.fixture(scope="module")
def shop(stack: Stack) -> Iterator[Workspace]:
    workspace = workspace_of(stack)
    yield workspace
    workspace.client.close()


@pytest.fixture(scope="module")
def past(shop: Workspace) -> Past:
    return give_past(shop, dt.datetime.now(dt.UTC), counted_days=20, foretold_days=3)


def colour(page: Page, token: str) -> str:
    """What a token comes to, as a canvas tells colours: red, green and blue."""
    found = page.evaluate(
        """(token) => {
          const one = document.body.appendChild(document.createElement("i"));
          one.style.color = `var(${token})`;
          const { color } = getComputedStyle(one);
          one.remove();
          return color.match(/\\d+/g).slice(0, 3).join();
        }""",
        token,
    )
    return str(found)


def painted(page: Page, chart: Locator, *tokens: str) -> None:
    """Lines of these colours are in the chart; its grid alone would not do."""
    canvas = chart.locator("canvas")
    expect(canvas).to_be_visible()
    wanted = {colour(page, token) for token in tokens}
    eventually(lambda: wanted <= {*canvas.evaluate(COLOURS)}, within=30, what=f"lines of {tokens}")


def test_statistics_are_drawn(shop: Workspace, past: Past, visit: Callable[..., Visitor]) -> None:
    page = visit(shop, "viewer").tab("/insights/statistics?days=30")
    expect(page.get_by_role("region", name="Alerts", exact=True)).to_contain_text("triggers were folded")
    charts = page.get_by_role("figure").get_by_role("img")
    painted(page, charts.nth(0), "--warning-mark", "--critical-mark")
    painted(page, charts.nth(1), "--accent", "--good-mark")
    noisiest = page.get_by_role("region", name="Rules that fire most")
    expect(noisiest.get_by_role("row", name="Response time jitters")).to_be_visible()
    expect(page.get_by_role("region", name="Alerts by weekday and hour")).to_be_visible()
    page.get_by_label("Framework", exact=True).select_option("Warehouse")
    expect(noisiest.get_by_role("row")).to_have_count(2)
    with page.expect_download() as saved:
        page.get_by_role("link", name="Get as CSV").click()
    assert saved.value.path().read_text().startswith("from,")


def test_a_pattern_is_applied_and_another_dismissed(shop: Workspace, past: Past, visit: Callable[..., Visitor]) -> None:
    page = visit(shop).tab("/insights/patterns")
    noise = page.locator("section", has=page.get_by_role("heading", name="Noise: Response time jitters"))
    expect(noise.get_by_role("img")).to_be_visible()
    noise.get_by_role("button", name="Preview and apply…").click()
    dialog = page.get_by_role("dialog", name="Change Response time jitters")
    expect(dialog).to_contain_text("it would have fired 0 times")
    dialog.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("The rule is changed")).to_be_visible()
    expect(noise.get_by_role("button", name="Preview and apply…")).to_have_count(0)
    assert shop.get(f"/api/v1/rules/{past.rules['Response time jitters']}")["for_seconds"] == 300
    grows = page.locator("section", has=page.get_by_role("heading", name="More and more: Disk is filling"))
    grows.get_by_role("button", name="Dismiss").click()
    expect(grows).to_have_count(0)


def test_predictions_show_how_good_earlier_ones_were(
    shop: Workspace, past: Past, visit: Callable[..., Visitor]
) -> None:
    page = visit(shop, "viewer").tab("/insights/predictions")
    table = page.get_by_role("region", name="What is to be expected of Checkout")
    expect(table.get_by_role("row", name="A critical alert")).to_contain_text("%")
    calibration = page.get_by_role("img", name="Foretold and came.")
    expect(calibration).to_be_visible()
    assert calibration.locator("circle").count() > 2
    expect(page.get_by_text("Brier score")).to_be_visible()


def test_a_verdict_and_a_comment_are_seen_in_another_tab(workspace: Workspace, visit: Callable[..., Visitor]) -> None:
    rule = workspace.rule(workspace.framework())
    workspace.post("/api/v1/triggers", {"alert_rule_id": rule, "current_value": 900}, 202)
    here, there = visit(workspace, "responder").live(), visit(workspace, "viewer").live()
    for page in (here, there):
        expect(rows(page)).to_have_count(1)
        page.get_by_role("link", name="slow").click()
        expect(page.get_by_role("heading", name="slow", level=1)).to_be_focused()
    here.get_by_role("button", name="False alarm").click()
    expect(there.get_by_text("0 useful, 1 false alarm.")).to_be_visible()
    expect(here.get_by_role("button", name="False alarm")).to_have_attribute("aria-pressed", "true")
    expect(there.get_by_role("button", name="False alarm")).to_have_count(0)

    comment = here.get_by_label("Comment")
    here.get_by_role("button", name="Comment").click()
    expect(comment).to_be_focused()
    expect(comment).to_have_attribute("aria-invalid", "true")
    comment.fill("It was the <b>cache</b> again.")
    here.keyboard.press("Control+Enter")
    expect(comment).to_have_value("")
    for page in (here, there):
        log = page.get_by_role("region", name="What happened, and why")
        expect(log.get_by_text("It was the <b>cache</b> again.")).to_be_visible()
    assert comment.evaluate("(one) => one.maxLength") == 4000
    expect(there.get_by_role("button", name="Comment")).to_have_attribute("aria-disabled", "true")


def test_a_rule_that_learns_is_tried_on_what_was_observed(workspace: Workspace, visit: Callable[..., Visitor]) -> None:
    shop = workspace.framework("shop")
    workspace.post("/api/v1/observations", list(rhythm(shop)), 202)
    made = workspace.rule(shop, **ANOMALY)
    page = visit(workspace).tab(f"/rules/{made}")
    chart = page.get_by_role("figure", name="orders over")
    painted(page, chart, "--accent")
    expect(page.get_by_text("It would not have fired in this time.")).to_be_visible()
    page.get_by_label("Type").select_option("forecast")
    page.get_by_role("textbox", name="Threshold").fill("800")
    expect(page.get_by_text("It would have fired once")).to_be_visible()
    painted(page, chart, "--accent", "--critical-mark", "--critical-soft")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Orders are unusual is saved.")).to_be_visible()
    saved = workspace.get(f"/api/v1/rules/{made}")
    assert (saved["alert_type"], saved["threshold_value"]) == ("forecast", 800)
