"""What npm installs and builds: `make test` has it made; who runs pytest alone may be without, CI may not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
NPM = ROOT / "libs" / "sdk-typescript" / "npm"
BUILT = ROOT / "services" / "gateway" / "src" / "convex_gateway" / "dashboard" / "built"
"""The dashboard as the gateway serves it."""

_ON_CI = "CI" in os.environ

needs_packages = pytest.mark.skipif(
    not _ON_CI and not (ROOT / "node_modules" / ".installed").exists(), reason="node_modules: run make web"
)
needs_dashboard = pytest.mark.skipif(not _ON_CI and not BUILT.is_dir(), reason="the dashboard is not built: make web")
