"""Members by REST: who may add, change and remove whom; in force at once."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import quote

import pytest

from convex_common.postgres.bootstrap import ensure_member
from tests.support.rest import Api, token_of

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def api(api: Api) -> Api:
    ensure_member(api.store.owner_url, api.workspace_id, "admin", "admin")
    return api


def owners(api: Api) -> set[str]:
    return {row[0] for row in api.rows("SELECT user_id FROM members WHERE role = 'owner'")}


def test_a_member_is_added_and_gets_in(api: Api) -> None:
    token = token_of(api.workspace_id, "ada", "editor")
    assert api.get("/me", token=token).status_code == 401
    draft = {"user_id": "ada", "role": "editor", "name": "Ada", "email": "ada@example.com"}
    ada = api.made("/members", draft, role="admin")
    assert {name: ada[name] for name in draft} == draft
    me = api.get("/me", token=token).json()
    assert (me["role"], me["name"], me["email"]) == ("editor", "Ada", "ada@example.com"), "at once, though just refused"
    assert api.get("/members/ada", role="admin").json() == ada
    assert api.post("/members", draft, role="admin").status_code == 409
    assert api.made("/members", {"user_id": "bob", "role": "viewer"}, role="admin")["name"] == "bob"


def test_a_change_of_role_is_in_force_at_once(api: Api) -> None:
    token = token_of(api.workspace_id, "editor", "owner")
    assert api.post("/frameworks", {"name": "a"}, token=token).status_code == 201
    assert api.patch("/members/editor", {"role": "viewer"}, role="admin").json()["role"] == "viewer"
    assert api.post("/frameworks", {"name": "b"}, token=token).status_code == 403
    assert [message.user_id for message in api.redis.published] == ["editor"]  # type: ignore[union-attr]
    changed = api.patch("/members/editor", {"name": "E", "email": "e@example.com"}, role="admin").json()
    assert (changed["name"], changed["email"], changed["role"]) == ("E", "e@example.com", "viewer")
    assert api.patch("/members/editor", {"email": None}, role="admin").json()["email"] is None
    assert len(api.redis.published) == 1, "a name changes nothing of what somebody may"


def test_a_removed_member_is_refused_at_once(api: Api) -> None:
    assert api.get("/me", role="viewer").status_code == 200
    assert api.delete("/members/viewer", role="admin").status_code == 204
    assert api.get("/me", role="viewer").status_code == 401
    assert [message.user_id for message in api.redis.published] == ["viewer"]  # type: ignore[union-attr]
    assert api.delete("/members/viewer", role="admin").status_code == 404
    assert api.get("/members/viewer", role="admin").status_code == 404


@pytest.mark.parametrize("revoke", [False, True], ids=["stay", "go too"])
def test_the_keys_that_a_removed_member_made(api: Api, revoke: bool) -> None:
    mine = api.made("/api-keys", {"name": "x", "role": "viewer"}, role="admin")["key"]
    others = api.made("/api-keys", {"name": "x", "role": "viewer"}, role="owner")["key"]
    assert {api.get("/me", token=key).status_code for key in (mine, others)} == {200}
    assert api.delete(f"/members/admin?revoke_keys={str(revoke).lower()}", role="owner").status_code == 204
    assert api.get("/me", token=mine).status_code == (401 if revoke else 200)
    assert api.get("/me", token=others).status_code == 200


REFUSED = {
    "an admin adds no owner": ("POST", "", {"user_id": "x", "role": "owner"}, "admin", 403),
    "an admin raises nobody to owner": ("PATCH", "/editor", {"role": "owner"}, "admin", 403),
    "an admin lowers no owner": ("PATCH", "/owner", {"role": "viewer"}, "admin", 403),
    "an admin renames no owner": ("PATCH", "/owner", {"name": "x"}, "admin", 403),
    "an admin removes no owner": ("DELETE", "/owner", None, "admin", 403),
    "an editor sees nobody": ("GET", "", None, "editor", 403),
    "the last owner is not lowered": ("PATCH", "/owner", {"role": "admin"}, "owner", 409),
    "the last owner is not removed": ("DELETE", "/owner", None, "owner", 409),
    "a key is no member": ("POST", "", {"user_id": "key:1", "role": "viewer"}, "owner", 422),
    "an address without an @": ("POST", "", {"user_id": "x", "role": "viewer", "email": "x"}, "owner", 422),
    "a member's id stays": ("PATCH", "/editor", {"user_id": "x"}, "owner", 422),
    "a role that is none": ("PATCH", "/editor", {"role": "root"}, "owner", 422),
    "no role at all": ("PATCH", "/editor", {"role": None}, "owner", 422),
    "nobody": ("PATCH", "/nobody", {"name": "x"}, "owner", 404),
    "NUL": ("GET", "/a%00b", None, "owner", 404),
    "an id that is too long": ("GET", "/" + "x" * 256, None, "owner", 404),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(api: Api, case: str) -> None:
    method, path, body, role, status = REFUSED[case]
    more: dict[str, Any] = {} if body is None else {"json": body}
    assert api.call(method, f"/members{path}", role=role, **more).status_code == status
    assert owners(api) == {"owner"}


def test_an_owner_leaves_when_there_is_another(api: Api) -> None:
    assert api.patch("/members/admin", {"role": "owner"}, role="owner").status_code == 200
    assert api.delete("/members/owner", role="owner").status_code == 204
    assert owners(api) == {"admin"}


def test_of_two_owners_who_remove_each_other_one_stays(api: Api) -> None:
    for turn in range(5):
        for user in ("one", "two"):
            ensure_member(api.store.owner_url, api.workspace_id, user, "owner")
        with api.database.transaction(api.workspace_id) as connection:
            connection.execute("DELETE FROM members WHERE user_id = 'owner'")
        for user in ("one", "two"):
            api.gateway.authenticator.forget(api.workspace_id, user)

        answers = api.at_once(
            [
                api.request("DELETE", f"/members/{target}", token=token_of(api.workspace_id, actor, "owner"))
                for actor, target in (("one", "two"), ("two", "one"))
            ]
        )
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses[0] == 204, turn
        assert statuses[1] in (401, 409), "removed before it was asked, or the last one"
        assert len(owners(api)) == 1


def test_user_ids_of_any_form_have_an_address(api: Api) -> None:
    for user in ("auth0|a b", "https://issuer.example/users/7", "übung@example.com", "a?b#c%2F"):
        api.made("/members", {"user_id": user, "role": "viewer"}, role="admin")
        assert api.get(f"/members/{quote(user, safe='')}", role="admin").json()["user_id"] == user
        assert api.delete(f"/members/{quote(user, safe='')}", role="admin").status_code == 204


def test_pages_of_members(api: Api) -> None:
    long = "ü" * 255
    api.made("/members", {"user_id": long, "role": "viewer"}, role="admin")
    found, cursor = [], ""
    while True:
        page = api.get(f"/members?limit=1{cursor}", role="admin").json()
        found += [item["user_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert sorted(found) == sorted(["admin", "editor", "owner", "responder", "viewer", long])
    assert api.get("/members?cursor=%21", role="admin").status_code == 422
    assert api.get("/members?cursor=AAAA", role="admin").status_code == 422, "NUL"


def test_another_workspaces_members_are_not_there(api: Api, elsewhere: uuid.UUID) -> None:
    ensure_member(api.store.owner_url, elsewhere, "root", "owner")
    theirs = token_of(elsewhere, "root", "owner")
    assert {item["user_id"] for item in api.get("/members", token=theirs).json()["items"]} == {
        "editor",
        "owner",
        "root",
    }
    assert api.get("/members/admin", token=theirs).status_code == 404
    assert api.delete("/members/admin", token=theirs).status_code == 404
    assert api.delete("/members/editor", token=theirs).status_code == 204
    assert api.get("/members/editor", role="admin").status_code == 200


def test_who_assigns_finds_members_by_id_or_name_and_learns_no_more_of_them(api: Api) -> None:
    api.made(
        "/members", {"user_id": "auth0|7", "role": "viewer", "name": "Ada L.", "email": "a@example.com"}, role="admin"
    )
    everybody = api.get("/assignees", role="responder").json()["items"]
    assert [one["user_id"] for one in everybody] == sorted(
        ["admin", "auth0|7", "editor", "owner", "responder", "viewer"]
    )
    assert everybody[1] == {"user_id": "auth0|7", "name": "Ada L."}
    assert api.get("/assignees", role="viewer").status_code == 403
    for sought, found in {
        "ada": ["auth0|7"],
        "AUTH0": ["auth0|7"],
        "a l.": ["auth0|7"],
        "%": [],
        "_": [],
        "nobody": [],
        "": [one["user_id"] for one in everybody],
    }.items():
        page = api.get(f"/assignees?q={quote(sought, safe='')}", role="responder").json()
        assert [one["user_id"] for one in page["items"]] == found, sought
    first = api.get("/assignees?q=a&limit=1", role="responder").json()
    assert [one["user_id"] for one in first["items"]] == ["admin"]
    second = api.get(f"/assignees?q=a&limit=1&cursor={first['next_cursor']}", role="responder").json()
    assert ([one["user_id"] for one in second["items"]], second["next_cursor"]) == (["auth0|7"], None)


def test_another_workspaces_members_are_no_assignees(api: Api, elsewhere: uuid.UUID) -> None:
    ensure_member(api.store.owner_url, elsewhere, "root", "owner")
    theirs = api.get("/assignees?q=root", token=token_of(elsewhere, "root", "owner")).json()["items"]
    assert [one["user_id"] for one in theirs] == ["root"]
    assert api.get("/assignees?q=root", role="responder").json()["items"] == []
