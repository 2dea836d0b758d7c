"""Sessions by cookie: how they begin, what they may, what other sites cannot do with them, and how they end."""

from __future__ import annotations

import time
import uuid
from typing import Any

import psycopg
import pytest

from convex_common.domain import api_key
from convex_common.postgres.bootstrap import ensure_member
from convex_common.postgres.sessions import delete_expired
from convex_gateway.signin import csrf
from tests.support.browser import Browser
from tests.support.postgres import Store
from tests.support.rest import Api, token_of

pytestmark = pytest.mark.timeout(120)


def editor(api: Api, **claims: Any) -> str:
    return token_of(api.workspace_id, "editor", "editor", **claims)


def test_a_token_is_exchanged_for_a_cookie(api: Api, browser: Browser) -> None:
    before = browser.get("/auth/session")
    assert (before.status_code, before.json()) == (200, {"ways": ["token"], "session": None})
    answer = browser.sign_in(editor(api))
    assert answer.status_code == 200, answer.text
    told = answer.json()["session"]
    assert (told["user_id"], told["role"], told["way"]) == ("editor", "editor", "token")
    assert told["workspace"] == {"id": str(api.workspace_id), "slug": "test", "name": "Test"}
    assert told["workspaces"] == [told["workspace"]]
    assert browser.get("/auth/session").json() == answer.json()
    assert browser.get("/api/v1/me").json()["user_id"] == "editor"
    made = browser.post("/api/v1/frameworks", {"name": "by cookie"})
    assert made.status_code == 201, made.text


def test_the_cookie_is_out_of_reach(api: Api, browser: Browser) -> None:
    (cookie,) = browser.sign_in(editor(api)).headers.get_list("set-cookie")
    name, *attributes = cookie.split("; ")
    assert name.startswith("convex_session=")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(attributes)
    assert not any(attribute.lower().startswith(("secure", "domain")) for attribute in attributes)
    secure = Browser(api.run, api.transport, "https://gateway")
    (cookie,) = secure.sign_in(editor(api)).headers.get_list("set-cookie")
    name, *attributes = cookie.split("; ")
    assert name.startswith("__Host-convex_session=")
    assert {"HttpOnly", "SameSite=strict", "Path=/", "Secure"} <= set(attributes)
    assert secure.get("/api/v1/me").status_code == 200


def test_over_https_only_the_protected_name_counts(api: Api, browser: Browser) -> None:
    """What a sibling's page can plant has no `__Host-`."""
    browser.sign_in(editor(api))
    token = browser.cookies["convex_session"]
    secure = Browser(api.run, api.transport, "https://gateway")
    assert secure.get("/api/v1/me", headers={"Cookie": f"convex_session={token}"}).status_code == 401
    assert secure.get("/api/v1/me", headers={"Cookie": f"__Host-convex_session={token}"}).status_code == 200


def test_two_cookies_are_none(api: Api, browser: Browser) -> None:
    browser.sign_in(editor(api))
    token = browser.cookies["convex_session"]
    answer = browser.get("/api/v1/me", headers={"Cookie": f"convex_session=planted; convex_session={token}"})
    assert (answer.status_code, "more than one cookie" in answer.json()["detail"]) == (401, True)


FORGED: dict[str, tuple[dict[str, str], int]] = {
    "as the page sends it": ({}, 201),
    "no token": ({"X-CSRF-Token": ""}, 403),
    "another session's token": ({"X-CSRF-Token": csrf.token_of("another")}, 403),
    "another site's origin": ({"Origin": "http://evil.example"}, 403),
    "another port's origin": ({"Origin": "http://gateway:8081"}, 403),
    "another scheme's origin": ({"Origin": "https://gateway"}, 403),
    "no origin of its own": ({"Origin": "null"}, 403),
    "fetched by another site": ({"Sec-Fetch-Site": "cross-site"}, 403),
    "fetched by a sibling": ({"Sec-Fetch-Site": "same-site"}, 403),
    "typed by a person": ({"Sec-Fetch-Site": "none"}, 403),
    "fetched by the page": ({"Sec-Fetch-Site": "same-origin"}, 201),
}


@pytest.mark.parametrize("case", FORGED)
def test_what_another_site_makes_a_browser_send_is_refused(api: Api, browser: Browser, case: str) -> None:
    headers, status = FORGED[case]
    browser.sign_in(editor(api))
    answer = browser.post("/api/v1/frameworks", {"name": "x"}, headers=headers)
    assert answer.status_code == status, answer.text
    assert browser.get("/api/v1/me", headers=headers).status_code == 200, "reading is not what they forge"


def test_without_any_sign_of_its_page_a_change_is_refused(api: Api, browser: Browser) -> None:
    browser.sign_in(editor(api))
    browser.origin = None
    assert browser.post("/api/v1/frameworks", {"name": "x"}).status_code == 403
    assert browser.call("DELETE", "/auth/session").status_code == 403


def test_a_header_wins_over_the_cookie_and_needs_no_token(api: Api, browser: Browser) -> None:
    browser.sign_in(editor(api))
    browser.csrf = browser.origin = None
    header = {"Authorization": f"Bearer {token_of(api.workspace_id, 'owner', 'owner')}"}
    assert browser.get("/api/v1/me", headers=header).json()["user_id"] == "owner"
    assert browser.post("/api/v1/frameworks", {"name": "x"}, headers=header).status_code == 201
    assert browser.get("/api/v1/me", headers={"Authorization": "Bearer none"}).status_code == 401, "not by the cookie"


def test_signing_in_is_not_what_another_site_can_make_a_browser_do(api: Api, browser: Browser) -> None:
    browser.origin = "http://evil.example"
    assert browser.sign_in(editor(api)).status_code == 403
    form = browser.call("POST", "/auth/session", data={"token": editor(api)}, headers={"Origin": "http://gateway"})
    assert form.status_code == 415, "and forms are no JSON"
    assert browser.cookies == {}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"token": "none"}, 401),
        ({"token": "cvx_none"}, 401),
        ({"token": ""}, 422),
        ({"token": "a\0"}, 422),
        ({"token": "x" * 9000}, 422),
        ({}, 422),
        ({"token": "x", "more": 1}, 422),
        ([], 422),
    ],
)
def test_what_is_no_token_signs_nobody_in(browser: Browser, body: Any, status: int) -> None:
    answer = browser.post("/auth/session", body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert browser.cookies == {}


def test_a_session_is_new_with_every_sign_in_and_the_old_one_ends(api: Api, browser: Browser) -> None:
    """A session that somebody planted in this browser is not what its person signs in to."""
    browser.sign_in(editor(api))
    planted = browser.cookies["convex_session"]
    browser.sign_in(token_of(api.workspace_id, "owner", "owner"))
    assert browser.cookies["convex_session"] != planted
    other = Browser(api.run, api.transport)
    assert other.get("/api/v1/me", headers={"Cookie": f"convex_session={planted}"}).status_code == 401
    assert browser.get("/api/v1/me").json()["user_id"] == "owner"


def test_signing_out_ends_it(api: Api, browser: Browser) -> None:
    browser.sign_in(editor(api))
    token = browser.cookies["convex_session"]
    answer = browser.call("DELETE", "/auth/session")
    assert answer.status_code == 204
    assert browser.cookies == {}
    again = browser.get("/api/v1/me", headers={"Cookie": f"convex_session={token}"})
    assert (again.status_code, again.json()["detail"]) == (401, "The session has ended; sign in again.")
    assert api.rows("SELECT count(*) FROM sessions") == [(0,)]
    assert browser.call("DELETE", "/auth/session").status_code == 204, "harmless again"


def test_beginning_and_end_are_on_the_audit_log(api: Api, browser: Browser) -> None:
    browser.sign_in(editor(api))
    browser.call("DELETE", "/auth/session")
    told = api.rows("SELECT actor, action, subject LIKE 'session:%%', detail FROM audit_log ORDER BY sequence")
    assert told == [
        ("editor", "session.started", True, {"way": "token"}),
        ("editor", "session.ended", True, {}),
    ]


def test_a_session_may_no_more_than_its_token_nor_than_its_member(api: Api, store: Store, browser: Browser) -> None:
    browser.sign_in(token_of(api.workspace_id, "owner", "viewer"))
    assert browser.get("/api/v1/me").json()["role"] == "viewer"
    assert browser.post("/api/v1/frameworks", {"name": "x"}).status_code == 403
    browser.sign_in(token_of(api.workspace_id, "editor", "owner"))
    ensure_member(store.owner_url, api.workspace_id, "editor", "viewer")
    forget(api)
    assert browser.get("/api/v1/me").json()["role"] == "viewer"


def test_a_removed_member_is_out_and_stays_out_when_let_in_again(api: Api, store: Store, browser: Browser) -> None:
    browser.sign_in(editor(api))
    api.rows("DELETE FROM members WHERE user_id = 'editor' RETURNING 1")
    forget(api)
    assert browser.get("/api/v1/me").status_code == 401
    ensure_member(store.owner_url, api.workspace_id, "editor", "editor")
    forget(api)
    assert browser.get("/api/v1/me").status_code == 401
    assert browser.get("/auth/session").json()["session"] is None
    assert browser.cookies == {}, "a cookie that is of no more use is taken back"


def test_a_session_ends_with_its_token(api: Api, browser: Browser) -> None:
    expires = int(time.time()) + 30
    told = browser.sign_in(editor(api, exp=expires)).json()["session"]
    assert told["expires_at"].startswith(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(expires)))
    api.rows("UPDATE sessions SET expires_at = now() RETURNING 1")
    forget(api)
    assert browser.get("/api/v1/me").status_code == 401


def test_a_session_of_a_key_is_the_keys(api: Api, browser: Browser) -> None:
    key, key_id = api_key.mint(), uuid.uuid4()
    api.rows(
        "INSERT INTO api_keys (workspace_id, id, name, prefix, digest, role, scopes, created_by) "
        "VALUES (%s, %s, 'k', %s, %s, 'editor', '{read}', 'owner') RETURNING 1",
        api.workspace_id, key_id, key.prefix, key.digest,
    )  # fmt: skip
    told = browser.sign_in(key.text).json()["session"]
    assert (told["user_id"], told["role"]) == (f"key:{key_id}", "editor")
    assert browser.get("/api/v1/frameworks").status_code == 200
    assert browser.post("/api/v1/frameworks", {"name": "x"}).status_code == 403, "its scope is to read"
    api.rows("UPDATE api_keys SET revoked_at = now() RETURNING 1")
    forget(api)
    assert browser.get("/api/v1/frameworks").status_code == 401


def test_nothing_of_the_database_is_a_session(api: Api, browser: Browser) -> None:
    browser.sign_in(editor(api))
    token = browser.cookies["convex_session"]
    ((row,),) = api.rows("SELECT row_to_json(s)::text FROM sessions s")
    assert token not in row
    assert editor(api) not in row


def test_a_switch_is_for_who_came_from_the_provider(api: Api, browser: Browser, elsewhere: uuid.UUID) -> None:
    browser.sign_in(editor(api))
    answer = browser.call("PUT", "/auth/session", json={"workspace_id": str(elsewhere)})
    assert answer.status_code == 404
    assert (
        Browser(api.run, api.transport).call("PUT", "/auth/session", json={"workspace_id": str(elsewhere)}).status_code
        == 401
    )


def test_expired_sessions_are_deleted_in_every_workspace(api: Api, store: Store, elsewhere: uuid.UUID) -> None:
    for workspace_id in (api.workspace_id, elsewhere):
        for _ in range(2):
            assert (
                Browser(api.run, api.transport).sign_in(token_of(workspace_id, "editor", "editor")).status_code == 200
            )
    with psycopg.connect(store.owner_url) as owner:
        for workspace_id in (api.workspace_id, elsewhere):
            owner.execute("SELECT set_config('app.workspace_id', %s, true)", (str(workspace_id),))
            owner.execute("SET LOCAL ROLE convex_definer")
            owner.execute(
                "UPDATE sessions SET expires_at = now() - interval '1 s' WHERE (workspace_id, id) = "
                "(SELECT workspace_id, id FROM sessions WHERE workspace_id = %s LIMIT 1)", (workspace_id,),
            )  # fmt: skip
            owner.execute("RESET ROLE")
    with psycopg.connect(store.url) as service:
        assert delete_expired(service) == 2
        assert delete_expired(service) == 0
    assert api.rows("SELECT count(*) FROM sessions") == [(1,)]


def forget(api: Api) -> None:
    """What a gateway remembers for its 20 seconds."""
    api.gateway.sessions._known.clear()
