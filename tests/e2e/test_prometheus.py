"""A real Prometheus fires and resolves; amtool adds and queries: our ingest is their Alertmanager."""

from __future__ import annotations

import json
import subprocess
import textwrap
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from standardwebhooks import Webhook
from websockets.sync.client import connect

from tests.support.debian import program_or_skip
from tests.support.eventually import eventually
from tests.support.installation import Workspace
from tests.support.receiver import Receiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # an example of the specification
PREFIX = "/api/v1/ingest/alertmanager"


class Exporter:
    """A target to scrape, whose one value the test moves."""

    def __init__(self) -> None:
        self.value = 1.0
        exporter = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = f"demo_value {exporter.value}\n".encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    made = Exporter()
    yield made
    made.server.shutdown()


@pytest.fixture
def prometheus(tmp_path: Path, workspace: Workspace, exporter: Exporter) -> Iterator[None]:
    """A real one, with an API key that may send alerts and nothing else, in a file as an operator has it."""
    binary = program_or_skip("prometheus")
    _, key = _key(workspace, "ingest")
    (tmp_path / "convex.key").write_text(key)
    gateway = workspace.stack.url.removeprefix("http://")
    (tmp_path / "rules.yml").write_text(
        textwrap.dedent("""
        groups:
          - name: demo
            rules:
              - alert: ValueHigh
                expr: demo_value > 10
                labels: {severity: critical, team: shop}
                annotations: {summary: "the value is {{ $value }}"}
        """)
    )
    (tmp_path / "prometheus.yml").write_text(
        textwrap.dedent(f"""
        global: {{scrape_interval: 250ms, evaluation_interval: 250ms}}
        rule_files: [rules.yml]
        scrape_configs:
          - job_name: demo
            static_configs: [{{targets: ["127.0.0.1:{exporter.port}"]}}]
        alerting:
          alertmanagers:
            - path_prefix: {PREFIX}
              api_version: v2
              authorization: {{type: Bearer, credentials_file: convex.key}}
              static_configs: [{{targets: ["{gateway}"]}}]
        """)
    )
    arguments = [
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        "--web.listen-address=127.0.0.1:0",
        "--rules.alert.resend-delay=1s",
    ]
    with (tmp_path / "prometheus.log").open("w") as log:
        process = subprocess.Popen([binary, *arguments], cwd=tmp_path, stdout=log, stderr=log)
        yield
        process.terminate()
        process.wait(20)


@pytest.mark.usefixtures("prometheus")
def test_prometheus_fires_and_resolves(workspace: Workspace, exporter: Exporter, receiver: Receiver) -> None:
    workspace.webhook(receiver.url(), secret=SECRET)
    headers = {"Authorization": f"Bearer {workspace.token}"}
    with connect(workspace.stack.url.replace("http", "ws") + "/ws", additional_headers=headers) as socket:
        socket.send(json.dumps({"type": "subscribe"}))
        exporter.value = 42.0
        (alert,) = eventually(
            lambda: workspace.get("/api/v1/alerts", status="firing")["items"], within=60.0, what="an alert"
        )
        assert (alert["rule_name"], alert["severity"]) == ("ValueHigh", "critical")
        assert alert["title"] == "the value is 42"
        assert alert["labels"]["team"] == "shop"
        # Resends come each second; none of them is an occurrence.
        eventually(lambda: len(_hooks(receiver, "alert.fired")) == 1, within=20.0, what="the webhook")
        timer = _timer(workspace, alert["id"])
        eventually(lambda: _timer(workspace, alert["id"]) != timer, within=20.0, what="a resend that moves the end")
        assert workspace.get(f"/api/v1/alerts/{alert['id']}")["occurrences"] == 1
        exporter.value = 1.0
        eventually(lambda: workspace.get(f"/api/v1/alerts/{alert['id']}")["status"] == "resolved", within=60.0)
        eventually(lambda: len(_hooks(receiver, "alert.resolved")) == 1, within=20.0, what="the resolve's webhook")
        events = _events_until(socket, "resolved")
    assert events[0] == "created"
    assert events[-1] == "resolved"


@dataclass
class Amtool:
    """The real one, with a credential of ours."""

    program: str
    url: str
    config: Path

    def ran(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [self.program, f"--alertmanager.url={self.url}", f"--http.config.file={self.config}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)

    def __call__(self, *arguments: str) -> str:
        done = self.ran(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def amtool(workspace: Workspace, tmp_path: Path) -> Callable[[str], Amtool]:
    program = str(program_or_skip("amtool"))

    def with_credential(credential: str) -> Amtool:
        config = tmp_path / f"{uuid.uuid4().hex}.yml"
        config.write_text(f"authorization: {{type: Bearer, credentials: {credential}}}\n")
        return Amtool(program, workspace.stack.url + PREFIX, config)

    return with_credential


def _key(workspace: Workspace, *scopes: str) -> tuple[str, str]:
    """A new API key's id and text."""
    made = workspace.post("/api/v1/api-keys", {"name": "prom", "role": "responder", "scopes": list(scopes)}, 201)
    return made["id"], made["key"]


def test_amtool_with_api_keys(workspace: Workspace, amtool: Callable[[str], Amtool]) -> None:
    """One that may send and look, one that may only send, one that may only look; and one that is revoked."""
    key_id, key = _key(workspace, "ingest", "read")
    both = amtool(key)
    both("alert", "add", "alertname=KeyedDisk", "severity=warning", "host=a")
    eventually(lambda: "KeyedDisk" in both("alert", "query"), within=20.0, what="an alert")
    sender, reader = (amtool(_key(workspace, scope)[1]) for scope in ("ingest", "read"))
    sender("alert", "add", "alertname=KeyedDisk", "severity=warning", "host=b")
    eventually(lambda: len(json.loads(reader("alert", "query", "-o", "json"))) == 2, within=20.0, what="the second")
    assert reader.ran("alert", "add", "alertname=Unkeyed", "host=c").returncode != 0
    assert sender.ran("alert", "query").returncode != 0
    answer = workspace.client.delete(f"/api/v1/api-keys/{key_id}")
    assert answer.status_code == 204, answer.text
    for arguments in (("alert", "query"), ("alert", "add", "alertname=Unkeyed", "host=d")):
        refused = both.ran(*arguments)
        assert refused.returncode != 0
        assert key not in refused.stdout + refused.stderr
    assert {alert["rule_name"] for alert in workspace.get("/api/v1/alerts")["items"]} == {"KeyedDisk"}


def test_amtool_adds_and_queries(workspace: Workspace, amtool: Callable[[str], Amtool]) -> None:
    run = amtool(workspace.token)
    run("alert", "add", "alertname=DiskFull", "severity=warning", "host=a", "--annotation=summary=disk is full")
    run("alert", "add", "alertname=DiskFull", "severity=warning", "host=b")
    eventually(lambda: len(json.loads(run("alert", "query", "-o", "json"))) == 2, within=20.0)
    (found,) = json.loads(run("alert", "query", "-o", "json", "host=a"))
    assert found["labels"]["alertname"] == "DiskFull"
    assert found["annotations"] == {"summary": "disk is full"}
    assert json.loads(run("alert", "query", "-o", "json", 'host=~"c|d"')) == []
    assert "DiskFull" in run("alert", "query")


def _hooks(receiver: Receiver, kind: str) -> list[dict[str, object]]:
    """The verified webhooks of one type."""
    verifier = Webhook(SECRET)
    bodies = [verifier.verify(request.body, dict(request.headers)) for request in receiver.received]
    return [body for body in bodies if body["type"] == kind]


def _timer(workspace: Workspace, alert_id: str) -> object:
    rows = workspace.rows("SELECT due_at FROM timers WHERE subject = %s AND kind = 'source_end'", alert_id)
    return rows[0]["due_at"] if rows else None


def _events_until(socket: object, last: str) -> list[str]:
    events: list[str] = []
    while last not in events:
        frame = json.loads(socket.recv(timeout=20))  # type: ignore[attr-defined]  # websockets' connection
        if frame["type"] == "alert":
            events.append(frame["event"])
    return events
