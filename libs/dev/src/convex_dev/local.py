"""Where the installation on this machine is, for the command line of the client."""

from __future__ import annotations

import os
from pathlib import Path

from convex_dev import state, tokens
from convex_dev.errors import DevError
from convex_dev.home import Home


def connection() -> tuple[str, str] | None:
    """URL and a token of the instance that runs in CONVEX_HOME or `.convex`; `None` when none does."""
    try:
        running = state.running(Home(Path(os.environ.get("CONVEX_HOME", ".convex")).resolve()))
        return running.url, tokens.issue(running, role="editor", ttl=tokens.DAY)[0]
    except DevError:
        return None
