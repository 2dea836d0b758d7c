"""The pages in a real browser: signing in once, working by cookie, signing out, under the strictest policy."""

from __future__ import annotations

import pytest

from tests.support.chromium import needs_chromium, tab
from tests.support.installation import Workspace

pytestmark = [needs_chromium, pytest.mark.timeout(240)]

SIGN_IN = """
document.getElementById("token").value = {token!r};
document.getElementById("sign-in-form").requestSubmit();
"""


def test_a_person_signs_in_once_works_and_signs_out(workspace: Workspace) -> None:
    framework = workspace.framework("shop")
    rule = workspace.rule(framework)
    workspace.post("/api/v1/triggers", {"alert_rule_id": rule, "current_value": 120}, 202)
    with tab() as page:
        page.open(workspace.stack.url)
        page.shows("!document.getElementById('sign-in').hidden")
        page.ask(SIGN_IN.format(token="nonsense"))
        page.shows("document.getElementById('sign-in-error').textContent")
        page.complaints.clear()  # that the server answered 401 is one
        page.ask(SIGN_IN.format(token=workspace.token))
        page.shows("document.getElementById('connection').dataset.state === 'connected'")
        page.shows("document.querySelectorAll('#alerts li').length === 1")
        assert workspace.token not in page.ask(
            "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
        )
        assert page.ask("document.cookie") == "", "no script can read it"
        page.ask(
            "[...document.querySelectorAll('#alerts button')].find((b) => b.textContent === 'Acknowledge').click()"
        )
        page.shows("document.querySelector('#alerts li').dataset.status === 'acknowledged'")
        page.open(workspace.stack.url)
        page.shows("document.getElementById('connection').dataset.state === 'connected'")
        page.ask("document.getElementById('sign-out').click()")
        page.shows("!document.getElementById('sign-in').hidden")
        page.open(workspace.stack.url)
        page.shows("!document.getElementById('sign-in').hidden")
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
