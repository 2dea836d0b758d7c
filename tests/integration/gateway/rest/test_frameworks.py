"""Frameworks by REST, and what every resource has in common."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from convex_common.events import Withdrawn, decode
from tests.support.rest import Api, token_of

pytestmark = pytest.mark.timeout(120)


def test_a_framework_is_made_read_changed_listed_and_deleted(api: Api) -> None:
    before = api.config_version()
    made = api.post("/frameworks", {"name": "checkout", "description": "the shop", "labels": {"team": "a"}})
    assert made.status_code == 201
    framework = made.json()
    assert framework | {"id": 0, "created_at": 0, "updated_at": 0} == {
        "id": 0, "name": "checkout", "description": "the shop", "labels": {"team": "a"}, "source": None,
        "created_at": 0, "updated_at": 0,
    }  # fmt: skip
    path = f"/frameworks/{framework['id']}"
    assert api.get(path, role="viewer").json() == framework
    changed = api.patch(path, {"labels": {}})
    assert changed.status_code == 200
    assert (changed.json()["labels"], changed.json()["description"]) == ({}, "the shop")
    assert [item["id"] for item in api.get("/frameworks").json()["items"]] == [framework["id"]]
    assert api.delete(path).status_code == 204
    assert [call(path).status_code for call in (api.get, api.delete)] == [404, 404]
    assert api.patch(path, {"name": "x"}).status_code == 404
    assert api.get("/frameworks").json() == {"items": [], "next_cursor": None}
    assert api.config_version() == before + 3, "three changes, and refused ones count for nothing"


def test_a_name_is_taken_once_and_free_again_after_a_delete(api: Api) -> None:
    first = api.framework("a")
    other = api.framework("b")
    assert api.post("/frameworks", {"name": "a"}).status_code == 409
    assert api.patch(f"/frameworks/{other}", {"name": "a"}).status_code == 409
    api.delete(f"/frameworks/{first}")
    assert api.patch(f"/frameworks/{other}", {"name": "a"}).status_code == 200


def test_its_rules_go_with_a_framework(api: Api) -> None:
    framework_id = api.framework()
    rule = api.rule(framework_id)
    assert api.delete(f"/frameworks/{framework_id}").status_code == 204
    assert api.get(f"/rules/{rule['id']}").status_code == 404
    assert api.rows("SELECT deleted_at IS NOT NULL FROM rules") == [(True,)]


BAD: dict[str, tuple[Any, str]] = {
    "no name": ({}, "name"),
    "empty name": ({"name": ""}, "name"),
    "long name": ({"name": "x" * 201}, "name"),
    "NUL in name": ({"name": "a\0b"}, "name"),
    "number as name": ({"name": 3}, "name"),
    "null as name": ({"name": None}, "name"),
    "unknown field": ({"name": "a", "colour": "red"}, "colour"),
    "own id": ({"name": "a", "id": str(uuid.uuid4())}, "id"),
    "label is a number": ({"name": "a", "labels": {"team": 3}}, "labels.team"),
    "labels are a list": ({"name": "a", "labels": []}, "labels"),
    "too many labels": ({"name": "a", "labels": {str(n): "" for n in range(65)}}, "labels"),
    "a list": ([], ""),
    "a word": ("name", ""),
}


def test_bad_frameworks_are_refused_by_field(api: Api) -> None:
    for case, (body, field) in BAD.items():
        answer = api.post("/frameworks", body)
        assert answer.status_code == 422, (case, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert [error["field"] for error in answer.json()["errors"]] == [field], case
    assert api.get("/frameworks").json()["items"] == []


MALFORMED = {
    "broken": (b'{"name": "a",}', "13"),
    "cut off": (b'{"name": "a"', "byte 12"),
    "NaN in lower case": (b'{"name": nan}', "invalid character"),
    "no UTF-8": (b'{"name": "\xff"}', "byte 10"),
    "two values": (b'{"name": "a"} {}', "byte 15"),
    "deep": (b"[" * 100_000, "deep"),
}


def test_malformed_json_is_400_and_says_where(api: Api) -> None:
    for case, (body, told) in MALFORMED.items():
        answer = api.call("POST", "/frameworks", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400, (case, answer.text)
        assert told in answer.json()["detail"], case
        assert answer.headers["content-type"] == "application/problem+json"


NOT_FINITE = {
    "NaN": (b'{"name": NaN}', "name"),
    "Infinity": (b'{"labels": {"a": "x", "b": -Infinity}}', "labels.b"),
    "number beyond floats": (b'{"name": ["a", 1e999]}', "name[1]"),
    "the whole body": (b"NaN", ""),
}


def test_numbers_that_json_does_not_have_are_refused_by_field(api: Api) -> None:
    for case, (body, field) in NOT_FINITE.items():
        answer = api.call("POST", "/frameworks", content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), case
        assert answer.json()["errors"] == [{"field": field, "message": "must be a finite number"}], case
        assert answer.json()["title"] == "A field is wrong", case


def test_pages_follow_one_another_without_gaps(api: Api) -> None:
    made = [api.framework(str(n)) for n in range(5)]
    seen, cursor, pages = [], "", 0
    while True:
        answer = api.get(f"/frameworks?limit=2{cursor}").json()
        seen += [item["id"] for item in answer["items"]]
        pages += 1
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"
    assert (seen, pages) == (made, 3)


def test_bad_pages_are_refused_by_name(api: Api) -> None:
    for query in ("limit=0", "limit=201", "limit=x", "cursor=x", "cursor=%00", "cursor=" + "A" * 80):
        answer = api.get(f"/frameworks?{query}")
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


def test_other_workspaces_are_not_there(api: Api, elsewhere: uuid.UUID) -> None:
    framework_id = api.framework()
    token = token_of(elsewhere, "editor", "editor")
    path = f"/frameworks/{framework_id}"
    assert api.get(path, token=token).status_code == 404
    assert api.patch(path, {"name": "mine"}, token=token).status_code == 404
    assert api.delete(path, token=token).status_code == 404
    assert api.get("/frameworks", token=token).json()["items"] == []
    assert api.get(path).json()["name"] == "checkout"


def test_a_framework_that_is_deleted_withdraws_its_open_alerts(api: Api) -> None:
    framework_id = api.framework()
    alerts = [api.alert(framework_id, rule_id=uuid.UUID(api.rule(framework_id)["id"])), api.alert(framework_id)]
    api.alert(api.framework("another"))
    assert api.delete(f"/frameworks/{framework_id}").status_code == 204
    found = api.rows("SELECT subject, payload FROM timers ORDER BY subject")
    assert [subject for subject, _ in found] == [str(alert.id) for alert in alerts]
    assert all(
        decode("timer:withdrawn", payload) == Withdrawn(rule_id=None, reason="framework_deleted")
        for _, payload in found
    )
