"""API keys by REST: told once, used like tokens, narrowed by role and scopes, revoked."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest

from convex_common.postgres.bootstrap import ensure_member
from tests.support.eventually import eventually
from tests.support.rest import Api, token_of

pytestmark = pytest.mark.timeout(120)

NEVER = str(uuid.uuid4())


@pytest.fixture
def api(api: Api) -> Api:
    ensure_member(api.store.owner_url, api.workspace_id, "admin", "admin")
    return api


def made(api: Api, role: str = "viewer", by: str = "owner", **more: Any) -> dict[str, Any]:
    return api.made("/api-keys", {"name": f"a {role}", "role": role, **more}, role=by)


def test_a_key_is_told_once_and_kept_as_a_digest(api: Api) -> None:
    key = made(api, "editor", scopes=["read", "configure"])
    assert key["key"].startswith(key["prefix"] + "_")
    assert (key["role"], key["scopes"], key["created_by"]) == ("editor", ["read", "configure"], "owner")
    assert key["expires_at"] is key["last_used_at"] is key["revoked_at"] is None
    listed = api.get("/api-keys", role="owner").json()["items"]
    assert listed == [{name: value for name, value in key.items() if name != "key"}]
    assert api.get(f"/api-keys/{key['id']}", role="owner").json() == listed[0]
    secret = key["key"].rpartition("_")[2]
    (row,) = api.rows("SELECT api_keys::text FROM api_keys")
    assert secret not in row[0]
    assert secret.encode().hex() not in row[0]


def test_a_key_is_who_it_says(api: Api) -> None:
    key = made(api, "responder", scopes=["read", "ingest"])
    me = api.get("/me", token=key["key"]).json()
    assert (me["user_id"], me["name"], me["role"]) == (f"key:{key['id']}", "a responder", "responder")
    assert (me["email"], me["expires_at"], me["operator"]) == (None, None, False)
    assert me["api_key"] == {"id": key["id"], "prefix": key["prefix"], "scopes": ["ingest", "read"]}
    assert me["workspace"]["slug"] == "test"
    assert api.get("/me", role="owner").json()["api_key"] is None


def test_role_and_scopes_both_narrow(api: Api) -> None:
    framework = {"name": "shop"}
    viewer, reader, writer = (made(api, role, scopes=scopes)["key"] for role, scopes in (
        ("viewer", []), ("editor", ["read"]), ("editor", ["configure"])))  # fmt: skip
    assert api.post("/frameworks", framework, token=viewer).status_code == 403
    refused = api.post("/frameworks", framework, token=reader)
    assert (refused.status_code, "scope configure, this one has read" in refused.json()["detail"]) == (403, True)
    assert api.post("/frameworks", framework, token=writer).status_code == 201
    assert api.get("/frameworks", token=viewer).status_code == 200
    assert api.get("/frameworks", token=writer).status_code == 403


def test_nobody_makes_or_touches_a_key_above_their_own_role(api: Api) -> None:
    owners = made(api, "owner")
    assert api.post("/api-keys", {"name": "x", "role": "owner"}, role="admin").status_code == 403
    for answer in (
        api.delete(f"/api-keys/{owners['id']}", role="admin"),
        api.patch(f"/api-keys/{owners['id']}", {"name": "mine"}, role="admin"),
    ):
        assert answer.status_code == 403
    assert api.get("/me", token=owners["key"]).status_code == 200
    assert api.post("/api-keys", {"name": "x", "role": "viewer"}, role="editor").status_code == 403


def test_a_key_passes_nothing_on_that_it_has_not_got(api: Api) -> None:
    soon = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat()
    later = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=2)).isoformat()
    key = made(api, "admin", scopes=["admin", "ingest"], expires_at=soon)["key"]

    def make(**draft: Any) -> int:
        return api.post("/api-keys", {"name": "x", "role": "responder", **draft}, token=key).status_code

    assert make(scopes=["ingest"], expires_at=soon) == 201
    assert make(scopes=["ingest"], expires_at=later) == 422
    assert make(scopes=["ingest"]) == 422
    assert make(scopes=["read"], expires_at=soon) == 403
    assert make(expires_at=soon) == 403
    assert make(role="owner", scopes=["ingest"], expires_at=soon) == 403


BAD = {
    "no name": {"role": "viewer"},
    "no role": {"name": "x"},
    "a role that is none": {"name": "x", "role": "root"},
    "a scope that is none": {"name": "x", "role": "viewer", "scopes": ["everything"]},
    "a scope of no use": {"name": "x", "role": "viewer", "scopes": ["configure"]},
    "an end in the past": {"name": "x", "role": "viewer", "expires_at": "2020-01-01T00:00:00Z"},
    "an end of no time zone": {"name": "x", "role": "viewer", "expires_at": "2099-01-01T00:00:00"},
    "NUL": {"name": "x\0", "role": "viewer"},
    "something unknown": {"name": "x", "role": "viewer", "key": "cvx_mine"},
}


@pytest.mark.parametrize("case", BAD)
def test_bad_drafts(api: Api, case: str) -> None:
    assert api.post("/api-keys", BAD[case], role="owner").status_code == 422


def test_a_revoked_key_is_refused_at_once_and_others_are_told(api: Api) -> None:
    key, other = made(api), made(api)
    assert api.get("/me", token=key["key"]).status_code == 200
    for _ in range(2):
        assert api.delete(f"/api-keys/{key['id']}", role="owner").status_code == 204
        refused = api.get("/me", token=key["key"])
        assert (refused.status_code, "unknown or revoked" in refused.json()["detail"]) == (401, True)
        assert key["key"] not in refused.text
    assert api.get("/me", token=other["key"]).status_code == 200
    assert [message.user_id for message in api.redis.published] == [f"key:{key['id']}"] * 2  # type: ignore[union-attr]
    revoked = api.get("/api-keys?revoked=true", role="owner").json()["items"]
    assert [item["id"] for item in revoked] == [key["id"]]
    assert [item["id"] for item in api.get("/api-keys?revoked=false", role="owner").json()["items"]] == [other["id"]]


def test_a_key_ends_when_it_says(api: Api) -> None:
    ends = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    key = made(api, expires_at=ends.isoformat())
    assert dt.datetime.fromisoformat(key["expires_at"]) == ends
    assert dt.datetime.fromisoformat(api.get("/me", token=key["key"]).json()["expires_at"]) == ends
    with api.database.transaction(api.workspace_id) as connection:
        connection.execute("UPDATE api_keys SET expires_at = now() - interval '1 second'")
    api.gateway.authenticator.keys.forget(uuid.UUID(key["id"]))
    refused = api.get("/me", token=key["key"])
    assert (refused.status_code, "has expired" in refused.json()["detail"]) == (401, True)


def test_its_last_use_is_known_to_the_minute(api: Api) -> None:
    key = made(api)

    def last_used() -> dt.datetime | None:
        (row,) = api.rows("SELECT last_used_at FROM api_keys")
        return row[0]  # type: ignore[no-any-return]

    api.get("/me", token=key["key"])
    api.get("/me", role="owner")  # the loop runs, and the note in the background with it
    first = eventually(last_used, within=5)
    api.gateway.authenticator.keys.forget(uuid.UUID(key["id"]))
    api.get("/me", token=key["key"])
    api.get("/me", role="owner")
    assert last_used() == first, "within the minute"
    with api.database.transaction(api.workspace_id) as connection:
        connection.execute("UPDATE api_keys SET last_used_at = now() - interval '61 seconds'")
    api.gateway.authenticator.keys.forget(uuid.UUID(key["id"]))

    def noted_again() -> bool:
        api.get("/me", token=key["key"])
        moment = last_used()
        return moment is not None and first is not None and moment >= first

    eventually(noted_again, within=5)


def test_a_key_is_renamed_and_nothing_else(api: Api) -> None:
    key = made(api)
    answer = api.patch(f"/api-keys/{key['id']}", {"name": "grafana"}, role="admin")
    assert (answer.status_code, answer.json()["name"]) == (200, "grafana")
    assert api.patch(f"/api-keys/{key['id']}", {}, role="admin").json()["name"] == "grafana"
    assert api.patch(f"/api-keys/{key['id']}", {"role": "owner"}, role="admin").status_code == 422


def test_another_workspaces_keys_are_not_there(api: Api, elsewhere: uuid.UUID) -> None:
    ensure_member(api.store.owner_url, elsewhere, "root", "owner")
    theirs = token_of(elsewhere, "root", "owner")
    key = made(api)
    assert api.get("/api-keys", token=theirs).json()["items"] == []
    for key_id in (key["id"], NEVER, "1"):
        path = f"/api-keys/{key_id}"
        assert api.get(path, token=theirs).status_code == 404
        assert api.patch(path, {"name": "x"}, token=theirs).status_code == 404
        assert api.delete(path, token=theirs).status_code == 404
    assert api.get("/me", token=key["key"]).status_code == 200


def test_pages_of_keys(api: Api) -> None:
    ids = [made(api)["id"] for _ in range(3)]
    first = api.get("/api-keys?limit=2", role="owner").json()
    second = api.get(f"/api-keys?limit=2&cursor={first['next_cursor']}", role="owner").json()
    assert [item["id"] for item in first["items"] + second["items"]] == ids
    assert second["next_cursor"] is None


UNKNOWN = ["cvx_", "cvx_x", "cvx_abcdefgh_" + "0" * 43, "cvx_" + "x" * 4000, "cvx_\u00e9"]


@pytest.mark.parametrize("text", UNKNOWN)
def test_what_is_no_key_is_refused(api: Api, text: str) -> None:
    answer = api.get("/me", headers={"Authorization": f"Bearer {text}".encode("latin-1")})
    assert answer.status_code == 401
    assert answer.json()["detail"].startswith("The API key is unknown or revoked")
