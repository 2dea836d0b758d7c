"""How often somebody may try to sign in: so often from an address, and not at all where nobody can count."""

from __future__ import annotations

import httpx
import pytest

from convex_common.postgres.bootstrap import ensure_member
from tests.support.gateways import gateway_process
from tests.support.postgres import Store
from tests.support.rest import token_of
from tests.support.valkey import Valkey

pytestmark = pytest.mark.timeout(120)


def test_an_address_has_so_many_tries(store: Store, valkey: Valkey, queue_prefix: str) -> None:
    ensure_member(store.owner_url, store.workspace_id, "ada", "viewer")
    limits = {"REDIS_URL": valkey.url, "QUEUE_PREFIX": queue_prefix, "RATE_LIMIT_SIGN_IN_PER_ADDRESS": "3"}
    with gateway_process(store.url, **limits) as gateway:
        good = {"token": token_of(store.workspace_id, "ada", "viewer")}
        tries = [
            httpx.post(f"{gateway.url}/auth/session", json=body) for body in ({"token": "a"}, {"token": "b"}, good)
        ]
        assert [answer.status_code for answer in tries] == [401, 401, 200]
        refused = httpx.post(f"{gateway.url}/auth/session", json=good)
        assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
        assert int(refused.headers["retry-after"]) >= 1
        cookie = {"Cookie": f"convex_session={tries[-1].cookies['convex_session']}"}
        assert httpx.get(f"{gateway.url}/api/v1/me", headers=cookie).status_code == 200, "who is signed in goes on"


def test_where_nobody_can_count_nobody_signs_in(store: Store) -> None:
    ensure_member(store.owner_url, store.workspace_id, "ada", "viewer")
    with gateway_process(store.url, RATE_LIMIT_SIGN_IN_PER_ADDRESS="3") as gateway:
        good = token_of(store.workspace_id, "ada", "viewer")
        answer = httpx.post(f"{gateway.url}/auth/session", json={"token": good})
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert "set-cookie" not in answer.headers
        assert gateway.get("/api/v1/me", good).status_code == 200, "a token by itself needs no Redis"
