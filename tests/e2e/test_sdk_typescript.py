"""The TypeScript client against a real gateway, which is killed while it watches; and its README's program."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.eventually import eventually
from tests.support.installation import Workspace
from tests.support.node import NPM, ROOT, needs_packages

CLIENT = ROOT / "libs" / "sdk-typescript" / "client"
OLD_NODE = {"NODE_OPTIONS": "--experimental-websocket"}
"""Node.js 20 has its WebSocket behind this; later ones take it for what they do anyway."""
LIFETIME = 4
"""Seconds that the hook's tokens are good for."""

pytestmark = [pytest.mark.timeout(300), needs_packages]


@pytest.fixture
def hook(workspace: Workspace) -> Iterator[str]:
    """What the client's tests ask of this side: `/kill` the gateway, and short-lived `/token`s."""
    stack = workspace.stack

    class Hook(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = b""
            if self.path == "/kill":
                stack.kill("gateway")
            else:
                answer = stack.token(workspace=workspace.slug, ttl=LIFETIME).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nothing: the client's tests say what fails."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def given(workspace: Workspace) -> dict[str, str]:
    framework_id = workspace.framework()
    return {
        "CONVEX_URL": workspace.stack.url,
        "CONVEX_TOKEN": workspace.token,
        "CONVEX_FRAMEWORK": framework_id,
        "CONVEX_RULE": workspace.rule(framework_id),
    }


def npm(environment: Mapping[str, str], *arguments: str) -> None:
    done = subprocess.run(
        [str(NPM), "--workspace", "@convex-alerts/client", *arguments],
        env={**os.environ, **OLD_NODE, **environment},
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]


def test_the_client_misses_nothing_while_its_gateway_is_killed(
    workspace: Workspace, given: dict[str, str], hook: str
) -> None:
    npm({**given, "CONVEX_HOOK": hook}, "run", "test:gateway")
    eventually(lambda: workspace.client.get("/readyz").status_code == 200, within=30, what="the gateway")


def test_the_readme_has_a_program_that_runs(workspace: Workspace, given: dict[str, str], tmp_path: Path) -> None:
    """As somebody has it who installed the package: from what is built."""
    npm({}, "run", "build")
    code = re.search(r"^```js\n(.*?)^```", (CLIENT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert code is not None
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    program = tmp_path / "watch.js"
    program.write_text(code[1])
    workspace.post("/api/v1/triggers", {"alert_rule_id": given["CONVEX_RULE"], "current_value": 120}, 202)
    eventually(lambda: workspace.get("/api/v1/alerts")["items"], within=20, what="an alert")
    node = [str(NPM), "exec", "--offline", "--", "node", str(program)]
    with subprocess.Popen(node, env={**os.environ, **OLD_NODE, **given}, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            assert running.stdout.readline() == "1 open\n"
            assert running.stdout.readline() == "connected\n"
            [alert] = workspace.get("/api/v1/alerts")["items"]
            workspace.post(f"/api/v1/alerts/{alert['id']}/acknowledge", {}, 200)
            assert running.stdout.readline() == f"acknowledged {alert['title']}\n"
        finally:
            running.terminate()
