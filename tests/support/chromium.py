"""A real browser without a window, driven by its own protocol; tests that need one are skipped where there is none."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.support.eventually import eventually

PROGRAM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
needs_chromium = pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium on this machine")


@dataclass
class Tab:
    """A page: what it shows, and what its browser complained about."""

    socket: ClientConnection
    complaints: list[str] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=itertools.count)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A command of the protocol and its answer; complaints that arrive meanwhile are kept."""
        number = next(self._ids)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv(timeout=30))
            if message.get("id") == number:
                assert "error" not in message, message
                return cast("dict[str, Any]", message["result"])
            self._heed(message)

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        eventually(lambda: self.ask("document.readyState") == "complete", within=30)

    def ask(self, script: str) -> Any:
        """The value of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def shows(self, script: str, within: float = 30.0) -> Any:
        """Wait until an expression is true there."""
        return eventually(lambda: self.ask(script), within=within, what=script)

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def _heed(self, message: dict[str, Any]) -> None:
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(str(message["params"]["exceptionDetails"]))
            case "Log.entryAdded" if message["params"]["entry"]["level"] == "error":
                self.complaints.append(str(message["params"]["entry"]["text"]))
            case "Audits.issueAdded" if "ontentSecurityPolicy" in message["params"]["issue"]["code"]:
                self.complaints.append(str(message["params"]["issue"]))


@contextlib.contextmanager
def tab() -> Iterator[Tab]:
    """One page of a browser with a profile of its own."""
    assert PROGRAM is not None
    with tempfile.TemporaryDirectory(prefix="convex-chromium-", ignore_cleanup_errors=True) as profile:
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        flags += ["--window-size=1200,900", "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"]
        log = Path(profile) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen([PROGRAM, *flags], stderr=output, stdout=output)
        try:
            found = eventually(
                lambda: re.search(r"ws://(127\.0\.0\.1:\d+)/", log.read_text(errors="replace")), within=60
            )
            assert found is not None
            pages = httpx.get(f"http://{found[1]}/json").json()
            address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
            with connect(address, max_size=None) as socket:
                page = Tab(socket)
                for domain in ("Page", "Runtime", "Log", "Audits"):
                    page.call(f"{domain}.enable")
                yield page
        finally:
            process.kill()
            process.wait()
