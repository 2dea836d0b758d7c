"""The example of a page without a bundler, as somebody has it who installed the package, at an origin of its own."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support.gateways import ready
from tests.support.installation import Workspace
from tests.support.node import NPM, ROOT, needs_packages
from tests.support.visitors import Visitor

pytestmark = [needs_packages, pytest.mark.long, pytest.mark.timeout(240)]

SDK = ROOT / "libs" / "sdk-typescript"


class Quiet(SimpleHTTPRequestHandler):
    """Files of a folder, without a word."""

    def log_message(self, *_: object) -> None:
        """Nothing: the browser says what fails."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """The origin of a server that has the page, and beside it what `npm install` brings."""
    modules = tmp_path / "node_modules"
    built = modules / "@convex-alerts" / "client" / "dist"
    build: list[str | Path] = [
        NPM,
        "run",
        "--silent",
        "build",
        "--workspace",
        "@convex-alerts/client",
        "--",
        "--outDir",
        built,
    ]
    subprocess.run(build, check=True, timeout=240)
    shutil.copytree(ROOT / "node_modules" / "openapi-fetch", modules / "openapi-fetch")
    shutil.copy(SDK / "examples" / "page.html", tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_page_without_a_bundler_follows_the_feed(workspace: Workspace, browser: Browser, site: str) -> None:
    framework = workspace.framework()
    before, after = (workspace.rule(framework, name=name) for name in ("before", "<b>after</b>"))
    trigger(workspace, before)
    allowed = {"CORS_ALLOWED_ORIGINS": site, "WS_ALLOWED_ORIGINS": site, "GATEWAY_PORT": "{port}"}
    with ready({**workspace.stack.environment, **allowed}) as gateway:
        visitor = Visitor(browser, site)
        visitor.allow("favicon.ico", f"asked of elsewhere: {re.escape(gateway.url)}/api/v1/")
        page = visitor.tab("/page.html")
        page.get_by_label("Gateway").fill(gateway.url)
        page.get_by_label("API key or token").fill(workspace.token)
        page.get_by_role("button", name="Watch").click()
        expect(page.get_by_role("status")).to_have_text("connected")
        alerts = page.get_by_role("list", name="Alerts").get_by_role("listitem")
        expect(alerts).to_have_count(1)
        trigger(workspace, after)
        expect(alerts).to_have_count(2)
        expect(alerts.first).to_contain_text("<b>after</b>")
        first = workspace.get("/api/v1/alerts", q="before")["items"][0]["id"]
        workspace.post(f"/api/v1/alerts/{first}/acknowledge", {}, 200)
        expect(alerts.last).to_have_attribute("data-status", "acknowledged")
        workspace.post(f"/api/v1/alerts/{first}/resolve", {}, 200)
        expect(alerts).to_have_count(1)
        visitor.close()


def trigger(workspace: Workspace, rule: str) -> None:
    workspace.post("/api/v1/triggers", {"alert_rule_id": rule, "current_value": 900}, 202)
