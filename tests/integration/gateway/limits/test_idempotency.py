"""Writes with an Idempotency-Key: one effect, and the first answer again, whatever happens in between."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest

from convex_common.errors import StoreUnavailable
from convex_common.postgres import idempotency
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.postgres.database import Database
from convex_gateway import operations
from tests.support.postgres import Store
from tests.support.rest import Api, Remembered, gateway_of, token_of

pytestmark = pytest.mark.timeout(120)

KEPT = "SELECT count(*) FROM idempotency_keys"
REPLAYED = "idempotency-replayed"


def keyed(key: str = "k", **more: str) -> dict[str, str]:
    return {"Idempotency-Key": key, **more}


def frameworks(api: Api) -> int:
    return int(api.rows("SELECT count(*) FROM frameworks WHERE deleted_at IS NULL")[0][0])


def kept(api: Api) -> int:
    return int(api.rows(KEPT)[0][0])


def test_the_first_answer_comes_again_and_nothing_happens_twice(api: Api) -> None:
    first = api.post("/frameworks", {"name": "shop"}, headers=keyed())
    again = api.post("/frameworks", {"name": "shop"}, headers=keyed())
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["content-type"] == first.headers["content-type"]
    assert (REPLAYED in first.headers, again.headers[REPLAYED]) == (False, "true")
    assert frameworks(api) == 1


OTHERS: dict[str, Callable[[Api], httpx.Response]] = {
    "body": lambda api: api.post("/frameworks", {"name": "other"}, headers=keyed()),
    "query": lambda api: api.post("/frameworks?x=1", {"name": "shop"}, headers=keyed()),
    "if-match": lambda api: api.post("/frameworks", {"name": "shop"}, headers=keyed(**{"If-Match": '"3"'})),
}


@pytest.mark.parametrize("what", OTHERS)
def test_another_request_under_the_same_key_is_refused(api: Api, what: str) -> None:
    assert api.post("/frameworks", {"name": "shop"}, headers=keyed()).status_code == 201
    answer = OTHERS[what](api)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Idempotency-Key")
    assert frameworks(api) == 1


def test_a_key_belongs_to_its_workspace_principal_method_and_path(api: Api, elsewhere: uuid.UUID) -> None:
    body, headers = {"name": "shop"}, keyed()
    made = api.post("/frameworks", body, headers=headers)
    other_workspace = api.post("/frameworks", body, headers=headers, token=token_of(elsewhere, "editor", "editor"))
    other_person = api.post("/frameworks", body, headers=headers, role="owner")
    other_path = api.call("PATCH", f"/frameworks/{made.json()['id']}", json=body, headers=headers)
    other_method = api.delete(f"/frameworks/{made.json()['id']}", headers=headers)
    answers = (other_workspace, other_person, other_path, other_method)
    assert [answer.status_code for answer in answers] == [201, 409, 200, 204]
    assert not any(REPLAYED in answer.headers for answer in answers)


@pytest.mark.parametrize("key", ["", " ", "a b", "ä", "x" * 256, "a\x7f"])
def test_a_key_is_visible_ascii(api: Api, key: str) -> None:
    answer = api.post("/frameworks", {"name": "shop"}, headers={"Idempotency-Key": key.encode("latin-1")})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Idempotency-Key")
    assert frameworks(api) == 0


def test_refusals_are_answers_too_and_those_of_the_moment_are_not(api: Api) -> None:
    api.framework("taken")
    refused = {"name": "taken"}
    conflict = api.post("/frameworks", refused, headers=keyed("conflict"))
    malformed = api.call("POST", "/frameworks", content=b"{", headers=keyed("malformed"))
    invalid = api.post("/frameworks", {"names": 1}, headers=keyed("invalid"))
    assert [answer.status_code for answer in (conflict, malformed, invalid)] == [409, 400, 422]
    assert kept(api) == 3
    again = api.post("/frameworks", refused, headers=keyed("conflict"))
    assert (again.status_code, again.headers[REPLAYED], again.json()) == (409, "true", conflict.json())
    assert again.headers["content-type"] == "application/problem+json"

    nobody = api.call("POST", "/frameworks", json={"name": "x"}, token="none", headers=keyed("later"))
    viewer = api.post("/frameworks", {"name": "x"}, role="viewer", headers=keyed("later"))
    assert [answer.status_code for answer in (nobody, viewer)] == [401, 403]
    assert kept(api) == 3
    assert api.post("/frameworks", {"name": "x"}, headers=keyed("later")).status_code == 201


def test_reads_take_no_notice_of_a_key(api: Api) -> None:
    assert api.get("/frameworks", headers=keyed("a b")).status_code == 200
    assert kept(api) == 0


def test_an_action_on_an_alert_is_stored_in_its_own_transaction(api: Api) -> None:
    alert = api.alert(api.framework())
    path, headers = f"/alerts/{alert.id}/acknowledge", keyed(**{"If-Match": "1"})
    first = api.post(path, role="responder", headers=headers)
    assert (first.status_code, first.headers["etag"]) == (200, '"2"')
    published = len(api.redis.published)
    assert api.post(f"/alerts/{alert.id}/resolve", role="responder").status_code == 200
    again = api.post(path, role="responder", headers=headers)
    assert (again.status_code, again.content, again.headers["etag"]) == (200, first.content, '"2"'), "not a 412"
    assert len(api.redis.published) == published + 1, "of the resolve alone"
    missing = f"/alerts/{uuid.uuid4()}/acknowledge"
    assert api.post(missing, role="responder", headers=keyed("absent")).status_code == 404
    assert api.post(missing, role="responder", headers=keyed("absent")).headers[REPLAYED] == "true"


def test_a_secret_told_once_is_told_again_to_who_missed_it_and_stored_unreadable(api: Api) -> None:
    body = {"kind": "webhook", "name": "hook", "config": {"url": "https://example.com/hook"}}
    first = api.post("/channels", body, headers=keyed())
    again = api.post("/channels", body, headers=keyed())
    secret = first.json()["generated_secret"]
    assert again.json()["generated_secret"] == secret
    ((stored,),) = api.rows("SELECT answer FROM idempotency_keys")
    assert secret.encode() not in bytes(stored)
    assert b"generated_secret" not in bytes(stored)


def test_an_answer_whose_key_is_gone_says_so(api: Api, store: Store, database: Database) -> None:
    api.post("/frameworks", {"name": "shop"}, headers=keyed())
    other = Api(store, gateway_of(AsyncDatabase(store.url, "tests"), database, Remembered()), database, Remembered())
    try:
        answer = other.post("/frameworks", {"name": "shop"}, headers=keyed())
        assert (answer.status_code, "sealed with a key that is gone" in answer.json()["detail"]) == (409, True)
    finally:
        other.close()


def test_fifty_at_once_have_one_effect(api: Api) -> None:
    answers = api.at_once([api.request("POST", "/frameworks", json={"name": "x"}, headers=keyed()) for _ in range(50)])
    made = [answer for answer in answers if answer.status_code == 201]
    busy = [answer for answer in answers if answer.status_code == 409]
    assert (len(made) + len(busy), len({answer.content for answer in made})) == (50, 1)
    assert all(answer.headers["retry-after"] == "1" for answer in busy)
    assert all(answer.json()["type"].endswith("in-flight") for answer in busy)
    assert frameworks(api) == 1


def test_two_gateways_have_one_effect(api: Api, store: Store, database: Database) -> None:
    redis = Remembered()
    other = Api(store, gateway_of(AsyncDatabase(store.url, "tests"), database, redis), database, redis)
    other.gateway.secrets = api.gateway.secrets
    found: list[httpx.Response] = []
    barrier = threading.Barrier(2)

    def send(one: Api) -> None:
        for number in range(10):
            barrier.wait(20)
            found.append(one.post("/frameworks", {"name": f"n{number}"}, headers=keyed(str(number))))

    threads = [threading.Thread(target=send, args=(one,)) for one in (api, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    other.close()
    assert len(found) == 20
    assert {answer.status_code for answer in found} <= {201, 409}
    assert frameworks(api) == 10


class Crash(BaseException):
    """The process is gone: nothing after this line runs."""


def crash(*_: Any, **__: Any) -> Any:
    raise Crash


CRASHES: dict[str, Callable[[Api, pytest.MonkeyPatch], None]] = {
    "in the handler": lambda api, patch: patch.setattr(api.gateway, "ids", None),
    "before the answer is sealed": lambda _, patch: patch.setattr(operations, "sealed", crash),
    "before the answer is kept": lambda _, patch: patch.setattr(idempotency, "keep", crash),
    "after the commit": lambda _, patch: patch.setattr(operations.Work, "committed", crash),
}


@pytest.mark.parametrize("step", CRASHES)
def test_a_crash_leaves_all_or_nothing_and_blocks_nobody(api: Api, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    with monkeypatch.context() as patch, contextlib.suppress(Crash):
        CRASHES[step](api, patch)
        assert api.post("/frameworks", {"name": "shop"}, headers=keyed()).status_code == 500
    done = step == "after the commit"
    assert (frameworks(api), kept(api)) == ((1, 1) if done else (0, 0))
    retried = api.post("/frameworks", {"name": "shop"}, headers=keyed())
    assert (retried.status_code, REPLAYED in retried.headers) == (201, done)
    assert frameworks(api) == 1


def test_a_store_that_goes_away_is_no_answer(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: Any) -> bool:
        raise StoreUnavailable("gone", 2)

    with monkeypatch.context() as broken:
        broken.setattr(idempotency, "keep", away)
        assert api.post("/frameworks", {"name": "shop"}, headers=keyed()).status_code == 503
    assert (frameworks(api), kept(api)) == (0, 0)
    assert api.post("/frameworks", {"name": "shop"}, headers=keyed()).status_code == 201


def test_hints_follow_the_commit(api: Api) -> None:
    channel = api.webhook()
    answer = api.post(f"/channels/{channel}/test", headers=keyed())
    assert answer.status_code == 202
    assert len(api.redis.hints) == 1
    assert api.post(f"/channels/{channel}/test", headers=keyed()).headers[REPLAYED] == "true"
    assert len(api.redis.hints) == 1, "a replay sends nothing"


def test_after_a_day_a_key_is_new_and_its_row_is_deleted(api: Api, store: Store, database: Database) -> None:
    assert api.post("/frameworks", {"name": "a"}, headers=keyed("old")).status_code == 201
    assert api.post("/frameworks", {"name": "b"}, headers=keyed("older")).status_code == 201
    assert api.post("/frameworks", {"name": "c"}, headers=keyed("new")).status_code == 201
    with psycopg.connect(store.owner_url) as owner:
        owner.execute("SELECT set_config('app.workspace_id', %s, true)", (str(api.workspace_id),))
        owner.execute("SET LOCAL ROLE convex_definer")
        owner.execute(
            "UPDATE idempotency_keys SET created_at = now() - interval '25 hours' WHERE scope IN "
            "(SELECT scope FROM idempotency_keys ORDER BY created_at LIMIT 2)"
        )
    assert api.post("/frameworks", {"name": "d"}, headers=keyed("old")).status_code == 201
    with database.transaction() as connection:
        assert [idempotency.delete_expired(connection, 10) for _ in range(2)] == [1, 0]
    assert kept(api) == 2
    assert api.post("/frameworks", {"name": "d"}, headers=keyed("old")).headers[REPLAYED] == "true"
