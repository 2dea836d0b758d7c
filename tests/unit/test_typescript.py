"""The TypeScript packages' own tests, and what they publish."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from tests.support.node import NPM, ROOT, needs_packages

pytestmark = [pytest.mark.timeout(240), needs_packages]


def npm(*arguments: str) -> str:
    done = subprocess.run([str(NPM), *arguments], check=False, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    return done.stdout


def test_the_packages_own_tests() -> None:
    npm("run", "--silent", "test")


def test_what_is_published_is_built_code_with_its_types() -> None:
    sdk = ("--workspace", "@convex-alerts/client", "--workspace", "@convex-alerts/react")
    npm("run", "--silent", "build", *sdk)
    packed = json.loads(npm("pack", "--dry-run", "--json", *sdk))
    for package in packed if isinstance(packed, list) else packed.values():
        paths = {file["path"] for file in package["files"]}
        assert {"package.json", "README.md", "LICENSE", "dist/index.js", "dist/index.d.ts"} <= paths
        assert not [path for path in paths if not path.startswith("dist/") and path.count("/")]
        assert not [path for path in paths if "test" in path]
        for path in (path for path in paths if path.endswith(".js")):
            code = (ROOT / "libs" / "sdk-typescript" / package["name"].rpartition("/")[2] / path).read_text()
            assert not re.search(r"""from ["'][^"']+\.tsx?["']""", code), f"{path} imports a source"
