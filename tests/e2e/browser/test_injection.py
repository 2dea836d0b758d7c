"""Text from anywhere stays text: two hundred payloads in every field that takes words, looked at on every page."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from convex_dev.stack import Stack
from tests.e2e.browser.payloads import PAYLOADS
from tests.support.eventually import eventually
from tests.support.installation import Workspace, workspace_of
from tests.support.node import needs_dashboard
from tests.support.visitors import Visitor

pytestmark = [needs_dashboard, pytest.mark.timeout(280)]

PACK = 10
PACKS: Sequence[Sequence[str]] = [PAYLOADS[start : start + PACK] for start in range(0, len(PAYLOADS), PACK)]
"""Fields of many words, and alerts with many labels, take several at once."""
CANARY = "window.canary = () => console.error('canary: text was run');"
GO = "(path) => { history.pushState({}, '', path); dispatchEvent(new PopStateEvent('popstate')); }"
TEXT = """
() => [document.body.textContent, ...[...document.querySelectorAll("input, textarea, select")].map((one) => one.value)]
  .join("\\n")
"""
MARKUP_BY_SCRIPT = """
() => {
  try { document.body.innerHTML = "<img src=x onerror=canary()>"; } catch (error) { return String(error); }
}
"""
EVERYTHING = {"width": 1280, "height": 60 * (len(PAYLOADS) + len(PACKS))}
"""As tall as the whole list, which draws only what is seen."""


@dataclass
class Poisoned:
    """A workspace whose every text is a payload; ids in the order of the payloads, or of the packs."""

    workspace: Workspace
    rules: list[str]
    channels: list[str]
    packed: list[str]
    """Alerts, each with a pack as its labels, its context and its notes."""


@pytest.fixture(scope="module")
def poisoned(stack: Stack) -> Iterator[Poisoned]:
    workspace = workspace_of(stack)
    with ThreadPoolExecutor(4) as pool:

        def each(path: str, bodies: Iterable[Mapping[str, Any]], status: int = 201) -> list[Any]:
            return list(pool.map(lambda body: workspace.post(f"/api/v1/{path}", body, status), bodies))

        frameworks = [one["id"] for one in each("frameworks", ({"name": name} for name in PAYLOADS))]
        rules = [one["id"] for one in each("rules", map(_rule, frameworks, PAYLOADS))]
        channels = [one["id"] for one in each("channels", map(_channel, PAYLOADS))]
        each("silences", map(_silence, PACKS))
        each("api-keys", ({"name": name, "role": "viewer"} for name in PAYLOADS[::4]))
        each("members", ({"user_id": f"m{n}", "role": "viewer", "name": PAYLOADS[n]} for n in range(1, 200, 4)))
        single = [_trigger(rule, {"one": text}) for rule, text in zip(rules, PAYLOADS, strict=True)]
        packed = [_trigger(rules[0], _labels(pack)) for pack in PACKS]
        workspace.post("/api/v1/triggers", [*single, *packed], 202)
        alerts = eventually(lambda: _alerts(workspace, len(single) + len(packed)), within=120, what="the alerts")
        ids = [next(one["id"] for one in alerts if {*pack} <= {*one["labels"].values()}) for pack in PACKS]
        for alert, pack in zip(ids, PACKS, strict=True):
            workspace.post(f"/api/v1/alerts/{alert}/resolve", {"notes": "\n".join(pack)}, 200)
    yield Poisoned(workspace, rules, channels, ids)
    workspace.client.close()


def _rule(framework: str, text: str) -> dict[str, Any]:
    return {
        "framework_id": framework,
        "name": text,
        "metric": text,
        "condition": "above",
        "threshold_value": 1,
        "labels": {text[:128]: text},
        "channel_ids": None,
    }


def _channel(text: str) -> dict[str, Any]:
    matchers = [{"name": "team", "op": "=", "value": text}]
    return {"kind": "in_app", "name": text, "config": {}, "enabled": False, "matchers": matchers}


def _silence(pack: Sequence[str]) -> dict[str, Any]:
    matchers = [{"name": text[:128], "op": "=", "value": f"never {text}"} for text in pack]
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    return {"matchers": matchers, "ends_at": soon.isoformat(), "comment": "\n".join(pack)}


def _labels(pack: Sequence[str]) -> dict[str, str]:
    return {text[:128]: text for text in pack}


def _trigger(rule: str, labels: Mapping[str, str]) -> dict[str, Any]:
    context = {text: [text] for text in labels.values()}
    return {"alert_rule_id": rule, "current_value": 9, "labels": labels, "context": context}


def _alerts(workspace: Workspace, count: int) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = workspace.get("/api/v1/alerts", limit=200, **cursor)
        items += page["items"]
        if page["next_cursor"] is None:
            return items if len(items) >= count else []
        cursor = {"cursor": page["next_cursor"]}


@pytest.fixture(scope="module")
def visitor(browser: Browser, poisoned: Poisoned) -> Iterator[Visitor]:
    visitor = Visitor(browser, poisoned.workspace.stack.url, viewport=EVERYTHING)
    visitor.context.add_init_script(CANARY)
    yield visitor.sign_in(poisoned.workspace.token)
    visitor.close()


@pytest.fixture(scope="module")
def page(visitor: Visitor) -> Page:
    return visitor.live()


@pytest.fixture(autouse=True)
def nothing_happened(visitor: Visitor, page: Page) -> Iterator[None]:
    yield
    page.evaluate("new Promise((resume) => setTimeout(resume))")  # what it would have run it has run
    assert visitor.complaints == []
    assert visitor.dialogs == []
    assert len(visitor.context.pages) == 1


def plain(text: str) -> str:
    """As it is compared: fields of one line know no line breaks, and JSON spells some characters."""
    return "".join(text.replace("\\n", "\n").split()).replace("\\", "").replace('"', "")


def shows(page: Page, texts: Iterable[str]) -> None:
    """Each of them is in what the page shows, letter by letter."""
    wanted = {text: plain(text) for text in texts}
    deadline, pause = time.monotonic() + 60, 10
    while True:
        shown = plain(page.evaluate(TEXT))
        missing = [text for text, sought in wanted.items() if sought not in shown]
        if not missing:
            return
        assert time.monotonic() < deadline, f"{len(missing)} are not shown, such as {missing[:3]}"
        page.wait_for_timeout(pause)  # the page draws meanwhile, rather than being read
        pause = min(2 * pause, 200)


LISTS: Mapping[str, Sequence[str]] = {
    "/?status=open": PAYLOADS,
    "/?status=all": PAYLOADS,
    "/rules": PAYLOADS,
    "/channels": PAYLOADS,
    "/deliveries": PAYLOADS,
    "/silences": PAYLOADS,
    "/settings/keys": PAYLOADS[::4],
    "/settings/members": PAYLOADS[1::4],
    "/settings/audit": (),
    "/queues": (),
}


@pytest.mark.parametrize("path", LISTS)
def test_lists_show_text(page: Page, path: str) -> None:
    page.evaluate(GO, path)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    shows(page, LISTS[path])


def test_an_alerts_page_shows_text(page: Page, poisoned: Poisoned) -> None:
    for alert, pack in zip(poisoned.packed, PACKS, strict=True):
        page.evaluate(GO, f"/alerts/{alert}")
        expect(page.get_by_role("heading", name="What happened, and why")).to_be_visible()
        shows(page, pack)


@pytest.mark.parametrize("every", [9, pytest.param(1, marks=pytest.mark.long)], ids=["some", "all"])
def test_what_is_edited_is_text(page: Page, poisoned: Poisoned, every: int) -> None:
    for number in range(0, len(PAYLOADS), every):
        text = PAYLOADS[number]
        page.evaluate(GO, f"/rules/{poisoned.rules[number]}")
        expect(page.get_by_role("button", name="Save")).to_be_visible()
        shows(page, [text])
        page.evaluate(GO, f"/channels/{poisoned.channels[number]}")
        expect(page.get_by_role("button", name="Test", exact=True)).to_be_visible()
        shows(page, [text])


def test_it_would_be_noticed(page: Page, visitor: Visitor) -> None:
    """What all others rely on: something that runs, dialogs, and requests of elsewhere are complaints."""
    page.evaluate("canary()")
    page.evaluate("alert('a dialog')")
    refused = page.evaluate(MARKUP_BY_SCRIPT)
    assert "TrustedHTML" in refused
    page.evaluate("Object.assign(new Image(), { src: '//elsewhere.example/pixel' })")
    eventually(lambda: page.evaluate("1") and len(visitor.complaints) >= 3, what="the complaints")
    told = "\n".join(visitor.complaints)
    assert "canary: text was run" in told
    assert "elsewhere.example" in told
    assert visitor.dialogs == ["a dialog"]
    visitor.complaints.clear()
    visitor.dialogs.clear()
