"""Signing in at an identity provider: a real one over HTTP, with a real gateway process, and a browser in between."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import psycopg
import pytest
from oidc_provider_mock import User, run_server_in_thread

from convex_common.postgres.bootstrap import ensure_member, ensure_workspace
from tests.support.gateways import GatewayProcess, gateway_process
from tests.support.postgres import Store

pytestmark = pytest.mark.timeout(180)

USERS = [
    User(sub="ada", claims={"email": "somebody@example.com", "email_verified": True}),
    User(sub="5f1c", claims={"email": "Grace@Example.com", "email_verified": True}),
    User(sub="6a2d", claims={"email": "grace@example.com", "email_verified": False}),
    User(sub="7b3e", claims={"email": "grace@example.com"}),
    User(sub="mallory", claims={"email": "mallory@example.com", "email_verified": True}),
]


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with run_server_in_thread(user_claims=USERS, require_nonce=True) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def workspaces(store: Store) -> tuple[uuid.UUID, uuid.UUID]:
    """Two that Ada and Grace are members of: by their subject, and by their address."""
    other = ensure_workspace(store.owner_url, slug="other", name="Other", owner_user="owner")
    for workspace_id, role in ((store.workspace_id, "editor"), (other, "viewer")):
        ensure_member(store.owner_url, workspace_id, "ada", role)
        ensure_member(store.owner_url, workspace_id, "grace", role)
        with psycopg.connect(store.owner_url) as owner:
            owner.execute("SELECT set_config('app.workspace_id', %s, true)", (str(workspace_id),))
            owner.execute("SET LOCAL ROLE convex_definer")
            owner.execute(
                "UPDATE members SET email = 'grace@example.com' WHERE workspace_id = %s AND user_id = 'grace'",
                (workspace_id,),
            )
    return store.workspace_id, other


@pytest.fixture
def gateway(store: Store, provider: str, workspaces: object) -> Iterator[GatewayProcess]:
    with gateway_process(store.url, **settings(provider)) as process:
        yield process


def settings(provider: str) -> dict[str, str]:
    return {
        "OIDC_ISSUER": provider,
        "OIDC_CLIENT_ID": "convex",
        "OIDC_CLIENT_SECRET": "hush, it is the client's secret",
        "PUBLIC_URL": "http://127.0.0.1:{port}",
    }


@contextmanager
def browser(gateway: GatewayProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url, timeout=30) as client:
        yield client


def sent_back(client: httpx.Client, sub: str, **query: str) -> str:
    """The address that the provider sends somebody back to, who signed in there."""
    login = client.get("/auth/oidc/login", params=query)
    assert login.status_code == 303, login.text
    answer = httpx.post(login.headers["location"], data={"sub": sub})
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def failure(answer: httpx.Response) -> str:
    assert answer.status_code == 303, answer.text
    assert "convex_session" not in answer.headers.get("set-cookie", "")
    return urlsplit(answer.headers["location"]).fragment.removeprefix("sign-in=")


def test_people_are_asked_for_by_code_with_everything_that_binds_it(gateway: GatewayProcess, provider: str) -> None:
    with browser(gateway) as client:
        assert client.get("/auth/session").json() == {"ways": ["oidc", "token"], "session": None}
        login = client.get("/auth/oidc/login")
        asked = dict(parse_qsl(urlsplit(login.headers["location"]).query))
        assert login.headers["location"].startswith(provider)
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        assert (asked["client_id"], asked["scope"]) == ("convex", "openid email profile")
        assert asked["redirect_uri"] == f"{gateway.url}/auth/oidc/callback"
        assert all(len(asked[name]) >= 40 for name in ("state", "nonce", "code_challenge"))
        (cookie,) = login.headers.get_list("set-cookie")
        assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
        assert asked["state"] not in cookie


def test_members_are_signed_in(gateway: GatewayProcess, workspaces: tuple[uuid.UUID, uuid.UUID]) -> None:
    """By the subject, or by the address that the provider has verified, whatever its letters' case."""
    mine, other = workspaces
    for sub, user in (("ada", "ada"), ("5f1c", "grace")):
        with browser(gateway) as client:
            answer = client.get(sent_back(client, sub, to="/?view=open"))
            assert (answer.status_code, answer.headers["location"]) == (303, "/?view=open"), answer.text
            assert set(client.cookies) == {"convex_session"}, "the sign-in's own cookie is gone"
            session = client.get("/auth/session").json()["session"]
            assert (session["user_id"], session["role"], session["way"]) == (user, "viewer", "oidc")
            assert [one["slug"] for one in session["workspaces"]] == ["other", "test"]
            headers = {"X-CSRF-Token": session["csrf_token"], "Origin": gateway.url}
            switched = client.put("/auth/session", json={"workspace_id": str(mine)}, headers=headers)
            assert switched.status_code == 200, switched.text
            now = switched.json()["session"]
            assert (now["workspace"]["id"], now["role"]) == (str(mine), "editor")
            assert now["expires_at"] == session["expires_at"], "switching does not make it longer"
            assert client.get("/api/v1/me").json()["workspace_id"] == str(mine)
            headers["X-CSRF-Token"] = now["csrf_token"]
            nowhere = client.put("/auth/session", json={"workspace_id": str(uuid.uuid4())}, headers=headers)
            assert nowhere.status_code == 404
    with browser(gateway) as client:
        client.get(sent_back(client, "ada", workspace="test"))
        assert client.get("/auth/session").json()["session"]["workspace"]["slug"] == "test", "the one asked for"
    assert other != mine


def test_others_are_not(gateway: GatewayProcess) -> None:
    for sub in ("mallory", "6a2d", "7b3e", "new@example.com"):
        with browser(gateway) as client:
            assert failure(client.get(sent_back(client, sub))) == "no-member", sub
            assert client.get("/auth/session").json()["session"] is None


def test_an_answer_is_for_the_browser_that_asked_and_once(gateway: GatewayProcess) -> None:
    with browser(gateway) as victim, browser(gateway) as attacker:
        address = sent_back(attacker, "ada")
        assert failure(victim.get(address)) == "expired", "nobody is signed in as somebody else by a link"
        victim.get("/auth/oidc/login")
        assert failure(victim.get(address)) == "expired", "nor with a sign-in of their own under way"
        assert attacker.get(address).headers["location"] == "/"
        attacker.cookies.clear()
        assert failure(attacker.get(address)) == "expired"


CHANGED: dict[str, tuple[dict[str, str], str]] = {
    "another state": ({"state": "x"}, "expired"),
    "no state": ({"state": ""}, "expired"),
    "another code": ({"code": "invented"}, "refused"),
    "no code": ({"code": ""}, "refused"),
    "the person said no": ({"error": "access_denied", "error_description": "<b>no</b>"}, "refused"),
    "another provider's answer": ({"iss": "https://evil.example"}, "refused"),
}


def test_a_changed_answer_signs_nobody_in(gateway: GatewayProcess) -> None:
    for case, (changes, why) in CHANGED.items():
        with browser(gateway) as client:
            address = urlsplit(sent_back(client, "ada"))
            query = dict(parse_qsl(address.query)) | changes
            answer = client.get(address.path, params=query)
            assert failure(answer) == why, case
            assert "evil" not in answer.headers["location"] + answer.text
            assert "<b>" not in answer.headers["location"] + answer.text


def test_nothing_secret_is_in_the_log(gateway: GatewayProcess) -> None:
    with browser(gateway) as client:
        address = sent_back(client, "ada")
        client.get(address)
        client.get(address)
        code = dict(parse_qsl(urlsplit(address).query))["code"]
        for secret in (code, "hush", client.cookies["convex_session"]):
            assert secret not in gateway.log


def test_without_a_provider_there_is_none(store: Store) -> None:
    with gateway_process(store.url) as gateway:
        for path in ("/auth/oidc/login", "/auth/oidc/callback"):
            answer = httpx.get(gateway.url + path)
            assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_a_provider_that_is_away_is_told_and_tokens_go_on(store: Store) -> None:
    away: dict[str, Any] = settings("http://localhost:1")
    with gateway_process(store.url, **away) as gateway, browser(gateway) as client:
        assert failure(client.get("/auth/oidc/login")) == "unavailable"
        assert client.get("/readyz").status_code == 200
