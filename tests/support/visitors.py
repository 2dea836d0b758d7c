"""People with a browser of their own. Whatever it complains of, and whatever it asks of elsewhere, fails their test."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Dialog,
    Locator,
    Page,
    Request,
    WebError,
    expect,
    sync_playwright,
)

from tests.support.chromium import chromium

SOON = 30_000
"""Milliseconds that anything may take on a busy machine."""
NOTICES = """
addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sample }) =>
  console.error(`the policy refused ${violatedDirective}: ${blockedURI} ${sample}`));
"""
FLAGS = ("--disable-dev-shm-usage", "--disable-gpu", "--force-color-profile=srgb", "--font-render-hinting=none")


class Visitor:
    """A person at a page of this address, with cookies of their own."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        given = {"locale": "en-GB", "timezone_id": "UTC", "viewport": {"width": 1280, "height": 900}, **options}
        self.url = url
        self.complaints: list[str] = []
        self.dialogs: list[str] = []
        """What the browser's own dialogs asked; they are accepted."""
        self._allowed: list[re.Pattern[str]] = []
        self.context = browser.new_context(base_url=url, **given)
        self.context.set_default_timeout(SOON)
        self.context.add_init_script(NOTICES)
        self.context.on("console", self._heard)
        self.context.on("weberror", self._failed)
        self.context.on("dialog", self._asked)
        self.context.on("request", self._requested)

    def sign_in(self, token: str) -> Visitor:
        """By a token, as the page does."""
        answer = self.context.request.post("/auth/session", data={"token": token})
        assert answer.ok, f"{answer.status} {answer.text()}"
        return self

    def tab(self, path: str = "/") -> Page:
        """A tab on this page."""
        page = self.context.new_page()
        devtools = self.context.new_cdp_session(page)
        devtools.on("Audits.issueAdded", self._audited)
        devtools.send("Audits.enable")
        page.goto(path)
        return page

    def live(self, path: str = "/") -> Page:
        """A tab that hears of every change."""
        page = self.tab(path)
        expect(connection(page)).to_have_attribute("data-state", "connected")
        return page

    def allow(self, *patterns: str) -> None:
        """Complaints that the test itself brings about, such as of a gateway that it killed."""
        self._allowed += map(re.compile, patterns)

    def close(self) -> None:
        """AssertionError with what the browser complained of."""
        self.context.close()
        unexpected = [one for one in self.complaints if not any(allowed.search(one) for allowed in self._allowed)]
        assert unexpected == [], unexpected

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def _failed(self, error: WebError) -> None:
        self.complaints.append(f"not caught: {error.error}")

    def _asked(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.accept()

    def _requested(self, request: Request) -> None:
        asked, own = urlsplit(request.url), urlsplit(self.url)
        if asked.scheme not in ("data", "blob") and asked.netloc != own.netloc:
            self.complaints.append(f"asked of elsewhere: {request.url}")

    def _audited(self, found: dict[str, Any]) -> None:
        if "ContentSecurityPolicy" in found["issue"]["code"]:
            self.complaints.append(str(found["issue"]))


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """A browser. While it runs, this thread has an event loop, and can have no other. Raises Unavailable."""
    found = chromium()
    expect.set_options(timeout=SOON)
    with sync_playwright() as driver:
        started = driver.chromium.launch(
            executable_path=found.path, args=[*FLAGS], env={**os.environ, **found.environment}
        )
        yield started
        started.close()


def connection(page: Page) -> Locator:
    """The word at the top."""
    return page.get_by_test_id("connection")


def rows(page: Page) -> Locator:
    """Alerts of the list."""
    return page.get_by_role("list", name="Alerts").get_by_role("listitem")
