"""`python -m convex_dev.demo HOME`: traffic for the instance that runs in the folder."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from convex_alerts.client import Client
from convex_dev import state, tokens
from convex_dev.demo.traffic import Traffic
from convex_dev.home import Home

TTL = 3600


class FreshToken:
    """A token of the demo's own editor, made anew before it expires."""

    def __init__(self, running: state.State) -> None:
        self._running = running
        self._token = ""
        self._until = 0.0

    def __call__(self) -> str:
        if time.monotonic() >= self._until:
            self._token = tokens.issue(self._running, role="editor", user="demo-traffic", ttl=TTL)[0]
            self._until = time.monotonic() + TTL - 60
        return self._token


def main() -> None:
    """Until it is ended."""
    running = state.running(Home(Path(sys.argv[1])))
    with Client(running.url, FreshToken(running), tries=3, timeout=5.0) as client:
        Traffic(client).run()


if __name__ == "__main__":
    main()
