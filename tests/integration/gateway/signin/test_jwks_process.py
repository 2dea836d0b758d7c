"""A gateway process and an issuer's key set over HTTP: rotation under load, one that is away, one that lies."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from convex_common.postgres.bootstrap import ensure_member
from tests.support.eventually import eventually
from tests.support.gateways import GatewayProcess, gateway_process
from tests.support.issuer import ISSUER, Published, SigningKey, key_set, published, signing_key
from tests.support.postgres import Store

pytestmark = pytest.mark.timeout(180)

OLD, NEW, NEXT = signing_key("old"), signing_key("new", "ES256"), signing_key("next", "EdDSA")


@pytest.fixture
def issuer() -> Iterator[Published]:
    with published(key_set(OLD)) as state:
        yield state


@pytest.fixture
def gateway(store: Store, issuer: Published) -> Iterator[GatewayProcess]:
    ensure_member(store.owner_url, store.workspace_id, "ada", "viewer")
    with gateway_process(store.url, **env(issuer)) as process:
        yield process


def env(issuer: Published) -> dict[str, str]:
    return {"JWT_SECRET": "", "JWT_JWKS_URL": issuer.url, "JWT_ISSUER": ISSUER}


def token(store: Store, key: SigningKey, **changed: Any) -> str:
    now = int(time.time())
    claims = {
        "sub": "ada",
        "workspace_id": str(store.workspace_id),
        "role": "viewer",
        "iat": now,
        "exp": now + 300,
        "iss": ISSUER,
        "aud": "convex",
        "jti": uuid.uuid4().hex,
    }
    return key.sign(claims | changed)


def test_keys_rotate_under_load_and_no_request_fails(store: Store, gateway: GatewayProcess, issuer: Published) -> None:
    """Everybody brings tokens of the newest key as soon as it is published, and those of the last one go on."""
    signing = [OLD]
    stop = threading.Event()
    statuses: list[tuple[str, int]] = []

    def send() -> None:
        with httpx.Client(base_url=gateway.url, timeout=20) as client:
            while not stop.is_set():
                key = signing[-1]
                answer = client.get("/api/v1/me", headers={"Authorization": f"Bearer {token(store, key)}"})
                statuses.append((key.kid, answer.status_code))

    def served(kid: str) -> bool:
        return sum(1 for name, _ in statuses if name == kid) >= 200

    with ThreadPoolExecutor(4) as senders:
        running = [senders.submit(send) for _ in range(4)]
        try:
            eventually(lambda: served("old"), within=60)
            for key in (NEW, NEXT):
                issuer.document = key_set(*signing, key)
                signing.append(key)
                eventually(lambda key=key: served(key.kid), within=60)  # type: ignore[misc]  # a closure per key
            issuer.document = key_set(NEW, NEXT)
            after = len(statuses) + 200
            eventually(lambda: len(statuses) >= after, within=60)
        finally:
            stop.set()
        for one in running:
            one.result(30)
    assert {status for _, status in statuses} == {200}, f"of {len(statuses)}"
    assert {kid for kid, _ in statuses} == {"old", "new", "next"}
    assert issuer.asked <= 6, "new keys are asked for once, not by every request"


def test_an_issuer_that_is_away_at_the_start_is_told_apart_from_a_bad_token(store: Store, issuer: Published) -> None:
    issuer.status = 500
    ensure_member(store.owner_url, store.workspace_id, "ada", "viewer")
    with gateway_process(store.url, **env(issuer)) as gateway:
        assert httpx.get(f"{gateway.url}/readyz").status_code == 200, "an issuer gates nobody's readiness"
        answer = gateway.get("/api/v1/me", token(store, OLD))
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert int(answer.headers["retry-after"]) >= 1
        assert gateway.get("/api/v1/me", "nonsense").status_code == 401
        issuer.status = 200
        eventually(lambda: gateway.get("/api/v1/me", token(store, OLD)).status_code == 200, within=30)
        issuer.status = 500
        assert gateway.get("/api/v1/me", token(store, OLD)).status_code == 200, "what is known stays good"


BAD: dict[str, dict[str, Any]] = {
    "sent on elsewhere": {"status": 302, "headers": {"Location": "/jwks.json"}},
    "endless": {"document": b" " * (300 * 1024)},
    "compressed": {"headers": {"Content-Encoding": "gzip"}},
    "a page": {"document": b"<html></html>"},
}


def test_what_is_no_key_set_changes_nothing(store: Store, gateway: GatewayProcess, issuer: Published) -> None:
    assert gateway.get("/api/v1/me", token(store, OLD)).status_code == 200
    good = issuer.document
    for name, answer in BAD.items():
        issuer.document, issuer.status, issuer.headers = good, 200, {}
        for field, value in answer.items():
            setattr(issuer, field, value)
        asked = issuer.asked
        assert gateway.get("/api/v1/me", token(store, signing_key(name))).status_code == 503, name
        assert issuer.asked == asked + 1, f"{name}: asked once, and not sent on"
        assert gateway.get("/api/v1/me", token(store, OLD)).status_code == 200, name
