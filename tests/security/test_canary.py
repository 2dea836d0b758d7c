"""Canaries: secrets that an installation is given in every way, and that are afterwards found nowhere.

Not in a dump, the logs at DEBUG, the spans, Redis, metrics, the audit log, or any answer of the API, whatever is asked
and however carelessly. What is sealed is fine: it is none of these forms.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import secrets
import subprocess
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import redis
from cryptography.fernet import Fernet
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from convex_admin import archive
from convex_common.domain import api_key
from convex_common.ids import Ids
from convex_dev.services import program
from convex_dev.stack import Stack
from tests.support.admin import admin
from tests.support.eventually import eventually
from tests.support.gateways import live_url
from tests.support.installation import Workspace, workspace_of
from tests.support.receiver import Receiver, Reply

pytestmark = pytest.mark.timeout(400)


@dataclass
class Searched:
    """Everything that an outsider, an operator or a back-up gets to see, by where it was."""

    places: dict[str, bytes] = field(default_factory=dict)

    def add(self, place: str, content: bytes | str) -> None:
        encoded = content.encode() if isinstance(content, str) else content
        self.places[place] = self.places.get(place, b"") + encoded + b"\n"

    def found(self, canaries: dict[str, str]) -> list[str]:
        """`canary in place`, in whatever form."""
        return [
            f"{name} as {form} in {place}"
            for name, canary in canaries.items()
            for form, needle in forms(canary)
            for place, content in self.places.items()
            if needle in content
        ]


def forms(canary: str) -> Iterator[tuple[str, bytes]]:
    """How a secret may be written: as it is, in hexadecimal, base64 at any alignment, escaped for a URL or JSON."""
    raw = canary.encode()
    yield "itself", raw
    yield "hexadecimal", raw.hex().encode()
    yield "HEXADECIMAL", raw.hex().upper().encode()
    yield "a URL", urllib.parse.quote(canary, safe="").encode()
    yield "JSON", json.dumps(canary)[1:-1].encode()
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw)[(0, 2, 3)[shift] : -4]
        yield f"base64, shifted by {shift}", encoded
        yield f"URL-safe base64, shifted by {shift}", encoded.replace(b"+", b"-").replace(b"/", b"_")


def test_the_search_finds_what_it_is_for() -> None:
    canary = "käse/+?&geheim-0123456789"
    for content in (
        canary.encode(),
        b"x" + base64.b64encode(b"a" + canary.encode() + b"bc"),
        b"\\x" + f"user:{canary}".encode().hex().encode(),
        base64.urlsafe_b64encode(b"ab" + canary.encode()),
        urllib.parse.quote(canary, safe="").encode(),
        json.dumps({"a": canary}).encode(),
    ):
        searched = Searched()
        searched.add("there", content)
        assert searched.found({"it": canary}), content
        assert searched.found({"another": canary.replace("geheim", "anders")}) == [], content


def canary(name: str) -> str:
    return f"canary-{name}-{secrets.token_hex(12)}"


@pytest.fixture
def collector() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.close()


def test_no_secret_is_found_anywhere(
    new_stack: Callable[..., Stack], collector: Receiver, receiver: Receiver, tmp_path: Path
) -> None:
    searched = Searched()
    given = {
        "JWT_SECRET": canary("jwt-secret"),
        "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "SMTP_PASSWORD": canary("smtp"),
    }
    stack = new_stack(
        env={
            **given,
            "LOG_LEVEL": "DEBUG",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": "1",  # nobody answers: failures are told, too
            "SMTP_USER": "convex",
            "SMTP_FROM": "alerts@example.com",
        }
    )
    workspace = workspace_of(stack, "canaries")
    kept = json.loads((stack.home.path / "keys.json").read_text())
    canaries = given | {name: kept[name] for name in ("owner_password", "service_password", "valkey_password")}
    key = _api_key(stack, workspace)
    canaries |= {"token": workspace.token.split(".")[2], "api_key": key.rpartition("_")[2]}
    workspace.client.event_hooks["response"].append(lambda answer: _keep(searched, answer))

    canaries |= _configure_and_fire(workspace, receiver)
    canaries |= _be_careless(stack, workspace, key, searched)
    _ask_for_everything(workspace, searched)
    stack.kill("postgres")  # errors of the stores, while requests come in
    for _ in range(3):
        with contextlib.suppress(httpx.HTTPError):
            workspace.client.post("/api/v1/frameworks", json={"name": "x", "description": "y"})
    stack.wait_healthy(timeout=90)
    eventually(lambda: len(collector.received) > 3, within=20, what="spans")
    _look_everywhere(stack, collector, searched, tmp_path)

    assert len(searched.places) > 25, sorted(searched.places)
    assert searched.found({"what is no secret": "canaries"}), "the search sees what is there"
    assert searched.found(canaries) == []


def _api_key(stack: Stack, workspace: Workspace) -> str:
    minted = api_key.mint()
    with psycopg.connect(stack.owner_url) as owner:
        owner.execute(
            "INSERT INTO api_keys (workspace_id, id, name, prefix, digest, role, created_by) "
            "SELECT id, %s, 'ci', %s, %s, 'admin', 'ada' FROM workspaces WHERE slug = %s",
            (Ids().new(), minted.prefix, minted.digest, workspace.slug),
        )
    return minted.text


def _configure_and_fire(workspace: Workspace, receiver: Receiver) -> dict[str, str]:
    """Channels with secrets, whose receivers and mail server fail and echo what they were sent."""
    whsec = base64.b64encode(secrets.token_bytes(32)).decode()
    slack = f"/services/{canary('slack')}"
    changed = base64.b64encode(secrets.token_bytes(32)).decode()
    receiver.script(*[Reply(404, body=f"Cannot POST {slack}".encode())] * 9, path=slack)
    receiver.script(Reply(500, body=b"broken"), path="/hook")
    framework_id = workspace.framework()
    rule_id = workspace.rule(framework_id)
    hook = workspace.webhook(receiver.url(), secret=f"whsec_{whsec}")
    for kind, config in (("slack", {"webhook_url": receiver.url(slack)}), ("email", {"to": ["ada@example.com"]})):
        workspace.post("/api/v1/channels", {"kind": kind, "name": kind, "config": config}, 201)
    workspace.post("/api/v1/triggers", {"alert_rule_id": rule_id, "current_value": 200}, 202)
    receiver.wait_for(lambda requests: [r for r in requests if r.path == slack], 60)
    receiver.wait_for(lambda requests: len([r for r in requests if r.path == "/hook"]) > 1, 90)
    tried = (
        "SELECT c.kind FROM attempts a JOIN deliveries d ON d.id = a.delivery_id JOIN channels c ON c.id = d.channel_id"
    )
    eventually(
        lambda: {row["kind"] for row in workspace.rows(tried)} >= {"slack", "email", "webhook"},
        within=60,
        what="an attempt by every channel",
    )
    answer = workspace.client.patch(f"/api/v1/channels/{hook}", json={"config": {"secret": f"whsec_{changed}"}})
    assert answer.status_code == 200, answer.text
    workspace.client.patch(f"/api/v1/channels/{hook}", json={"config": {"secret": f"whsec_{whsec}!"}})
    workspace.post(f"/api/v1/channels/{hook}/test", None, 202)
    (alert,) = workspace.get("/api/v1/alerts")["items"]
    workspace.post(f"/api/v1/alerts/{alert['id']}/acknowledge", None, 200)
    return {"webhook_secret": whsec, "changed_webhook_secret": changed, "slack_url": slack.rpartition("/")[2]}


def _be_careless(stack: Stack, workspace: Workspace, key: str, searched: Searched) -> dict[str, str]:
    """Secrets where clients should not put them, and refused ones; each in a request of its own."""
    url = stack.url
    used = canary("credential")
    token = workspace.token
    bearer = {"Authorization": f"Bearer {token}"}

    def ask(method: str, path: str, **more: Any) -> None:
        _keep(searched, httpx.request(method, url + path, timeout=30, **more))

    assert httpx.get(f"{url}/api/v1/alerts", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    for credential in (used, token, key):
        quoted = urllib.parse.quote(credential)
        ask("GET", f"/api/v1/me?token={quoted}&access_token={quoted}")
        ask("GET", f"/api/v1/alerts?q={quoted}&limit={quoted}", headers=bearer)
        ask("GET", f"/api/v1/rules/{quoted}", headers=bearer)
        ask("GET", f"/{quoted}")
        ask("GET", f"/api/v1/alerts?cursor={quoted}", headers=bearer)
        ask("POST", f"/api/v1/ingest/alertmanager/api/v2/alerts?token={quoted}", json=[], headers=bearer)
        for path in ("/frameworks", "/triggers", "/observations", "/rules", "/channels"):
            broken = f'{{"token": "{credential}", '.encode()
            ask("POST", f"/api/v1{path}", content=broken, headers=bearer | {"Content-Type": "application/json"})
            ask("POST", f"/api/v1{path}", json={"name": 5, "token": credential}, headers=bearer)
        for kind, config in (
            ("webhook", {"url": credential, "secret": credential}),
            ("webhook", {"url": f"https://u:{quoted}@example.com/"}),
            ("slack", {"webhook_url": f"https://u:{quoted}@example.com/"}),
            ("slack", {"webhook_url": credential}),
        ):
            ask("POST", "/api/v1/channels", headers=bearer, json={"kind": kind, "name": "x", "config": config})
        ask("GET", "/api/v1/me", headers={"X-Api-Key": credential, "Cookie": f"session={credential}; a={credential}"})
        ask("GET", "/api/v1/me", auth=("ada", credential))
        ask("GET", "/api/v1/me", headers={"Authorization": credential})
        ask("GET", "/api/v1/me", headers={"Authorization": f"Bearer {credential[:-5]}AAAAA"})
        ask("GET", "/api/v1/me", headers={"Authorization": f"Bearer {used}.{used}.{used}"})
        odd = {"If-Match": credential, "Origin": f"https://{used}.example", "traceparent": credential}
        ask("POST", "/api/v1/frameworks", json={"name": "x"}, headers=bearer | odd)
        asyncio.run(_careless_socket(live_url(url), credential, searched))
    return {"credential": used}


async def _careless_socket(url: str, credential: str, searched: Searched) -> None:
    quoted = urllib.parse.quote(credential)
    for address, options, frame in (
        (f"{url}?token={quoted}", {}, {"type": "ping"}),
        (url, {"subprotocols": ["convex.v1", f"bearer.{credential[:-5]}AAAAA"]}, {"type": "ping"}),
        (url, {}, {"type": "auth", "token": credential + "x"}),
        (url, {}, {"type": credential, credential: credential}),
    ):
        with contextlib.suppress(WebSocketException, TimeoutError, OSError):
            async with connect(address, **options) as socket:  # type: ignore[arg-type]
                await socket.send(json.dumps(frame))
                async with asyncio.timeout(3):
                    async for message in socket:
                        searched.add("a socket", message)


def _keep(searched: Searched, answer: httpx.Response) -> None:
    answer.read()
    place = f"{answer.status_code} {answer.request.method} {answer.request.url.path[:40]}"
    headers = b"\n".join(name + b": " + value for name, value in answer.headers.raw if name.lower() != b"location")
    searched.add(place, headers + b"\n" + answer.content)


def _ask_for_everything(workspace: Workspace, searched: Searched) -> None:
    """Every operation that reads, as the description has them, with every id that the lists tell."""
    described = workspace.client.get("/openapi.json").json()["paths"]
    ids: dict[str, str] = {}
    lists = [path for path, item in described.items() if "get" in item and "{" not in path]
    for path in lists:
        answer = workspace.client.get(path)
        told = answer.json() if answer.headers["content-type"] == "application/json" else None
        if isinstance(told, dict) and told.get("items"):
            ids[path] = str(told["items"][0].get("id"))
    for path, item in described.items():
        if "get" in item and path.count("{") == 1 and (found := ids.get(path.partition("/{")[0])):
            workspace.client.get(path.partition("{")[0] + found + path.partition("}")[2])
    for path in ("/", "/docs", "/healthz", "/readyz", "/nothing", "/api/metrics/prometheus"):
        workspace.client.get(path)
    searched.add("lists", " ".join(lists))


def _look_everywhere(stack: Stack, collector: Receiver, searched: Searched, folder: Path) -> None:
    for log in stack.home.logs.iterdir():
        searched.add(f"log {log.name}", log.read_bytes())
    searched.add("supervisor", stack.progress())
    for request in collector.received:
        searched.add("spans", request.body)
    for command in (["dev", "status"], ["dev", "status", "--json"]):
        ran = subprocess.run(
            [program("convex"), *command, "--home", str(stack.home.path)], capture_output=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        searched.add("convex dev status", ran.stdout + ran.stderr)
    with psycopg.connect(stack.owner_url) as owner:
        major = owner.info.server_version // 10000
    dump = folder / "plain.sql"
    archive.run("pg_dump", major, stack.owner_url, ["--format=plain", f"--file={dump}"])
    searched.add("pg_dump", dump.read_bytes())
    made = admin(stack.owner_url, "backup", "--out", str(folder / "backup"))
    searched.add("backup", made.out + made.err + (folder / "backup" / "manifest.json").read_text())
    for words in (("audit", "export"), ("audit", "head", "--json"), ("secrets", "status")):
        ran_admin = admin(stack.owner_url, *words, ENCRYPTION_KEYS=stack.environment["ENCRYPTION_KEYS"])
        searched.add(" ".join(words), ran_admin.out + ran_admin.err)
    for name, url in (("broker", stack.redis_url), ("cache", stack.cache_redis_url)):
        client = redis.Redis.from_url(url)
        for key in client.scan_iter(count=1000):
            searched.add(f"redis {name}", key + b" " + (client.dump(key) or b""))
        client.close()
    for process in stack.state.processes:
        if process.kind == "service":
            port = urllib.parse.urlsplit(process.probe or "").port
            searched.add(f"metrics {process.name}", httpx.get(f"http://127.0.0.1:{port}/metrics").content)
