"""The pages in a real browser: signing in once, working by cookie, signing out, under the strictest policy."""

from __future__ import annotations

import pytest

from tests.support.chromium import Tab, needs_chromium, tab
from tests.support.installation import Workspace

pytestmark = [needs_chromium, pytest.mark.timeout(240)]

TOKEN = "document.querySelector('main textarea')"
PRESS = (
    "[...document.querySelectorAll('button, [role=menuitem]')].find((b) => b.textContent.trim() === {text!r}).click()"
)
WRITE = """
(() => {{
  const field = {field};
  Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(field, {text!r});
  field.dispatchEvent(new Event("input", {{ bubbles: true }}));
}})()
"""


def sign_in(page: Tab, token: str) -> None:
    page.ask(WRITE.format(field=TOKEN, text=token))
    page.ask(PRESS.format(text="Sign in"))


def test_a_person_signs_in_once_works_and_signs_out(workspace: Workspace) -> None:
    rule = workspace.rule(workspace.framework("shop"))
    workspace.post("/api/v1/triggers", {"alert_rule_id": rule, "current_value": 120}, 202)
    with tab() as page:
        page.open(workspace.stack.url)
        page.shows(f"{TOKEN} !== null")
        sign_in(page, "nonsense")
        page.shows("document.querySelector('main [role=alert]')?.textContent")
        page.complaints.clear()  # that the server answered 401 is one
        sign_in(page, workspace.token)
        page.shows("document.querySelector('nav [aria-current=page]')?.textContent.startsWith('Alerts')")
        page.shows("document.querySelector('[data-testid=connection]')?.dataset.state === 'connected'")
        page.shows("document.querySelectorAll('ul[aria-label=Alerts] > li').length === 1")
        page.ask(PRESS.format(text="Acknowledge"))
        page.shows("document.querySelector('ul[aria-label=Alerts] > li')?.dataset.status === 'acknowledged'")
        page.ask("document.querySelector('ul[aria-label=Alerts] > li a').click()")
        page.shows("document.querySelector('main ol')?.textContent.includes('Acknowledged by')")
        assert workspace.token not in page.ask(
            "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
        )
        assert page.ask("document.cookie") == "", "no script can read it"
        page.open(f"{workspace.stack.url}/rules")
        page.shows("document.querySelector('h1')?.textContent === 'Rules'")
        page.ask("document.querySelector('header button[aria-haspopup=menu]').click()")
        page.shows("document.querySelector('[role=menu]') !== null")
        page.ask(PRESS.format(text="Sign out"))
        page.shows(f"{TOKEN} !== null")
        page.open(workspace.stack.url)
        page.shows(f"{TOKEN} !== null")
        assert page.complaints == []


def test_the_api_is_described_without_anything_from_elsewhere(workspace: Workspace) -> None:
    with tab() as page:
        page.open(f"{workspace.stack.url}/docs")
        assert page.shows("document.querySelectorAll('#operations .operation').length") > 30
        page.ask("document.getElementById('find').value = 'acknowledge'")
        page.ask("document.getElementById('find').dispatchEvent(new Event('input'))")
        shown = page.ask("document.querySelectorAll('#operations .operation:not([hidden])').length")
        assert 0 < shown < 20
        page.open(f"{workspace.stack.url}/docs#acknowledge_alert")
        origins = page.ask("[...new Set(performance.getEntriesByType('resource').map((r) => new URL(r.name).origin))]")
        assert origins == [workspace.stack.url]
        assert page.complaints == []
