"""Posts of events with an Idempotency-Key: accepted once, answered alike, also after a kill -9 in between."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest

from convex_common.postgres.database import Database
from tests.integration.gateway.limits.conftest import Ingest
from tests.support.eventually import eventually
from tests.support.gateways import GatewayProcess, alone, ready
from tests.support.postgres import Store
from tests.support.rest import token_of

pytestmark = pytest.mark.timeout(120)

REPLAYED = "idempotency-replayed"
ALERTS = "/ingest/alertmanager/api/v2/alerts"


def keyed(key: str = "k") -> dict[str, str]:
    return {"Idempotency-Key": key}


def trigger(rule: str, value: float = 1) -> dict[str, Any]:
    return {"alert_rule_id": rule, "current_value": value}


def observation(framework: str) -> dict[str, Any]:
    return {"framework_id": framework, "metric": "m", "value": 1}


BODIES: dict[str, Callable[[Ingest, str, str], tuple[str, Any, int]]] = {
    "triggers": lambda _, __, rule: ("/triggers", [trigger(rule), trigger(rule, 2)], 202),
    "observations": lambda _, framework, __: ("/observations", observation(framework), 202),
    "alertmanager": lambda _, __, ___: (ALERTS, [{"labels": {"alertname": "Disk"}}], 200),
    "an empty list": lambda _, __, ___: ("/triggers", [], 202),
    "a refusal": lambda _, __, ___: ("/triggers", trigger(str(uuid.uuid4())), 422),
    "a refusal of Alertmanager's": lambda _, __, ___: (ALERTS, [{"labels": {}}], 400),
}


@pytest.mark.parametrize("case", BODIES)
def test_the_first_answer_comes_again_and_nothing_is_accepted_twice(ingest: Ingest, case: str) -> None:
    framework = ingest.framework()
    path, body, status = BODIES[case](ingest, framework, ingest.rule(framework))
    first = ingest.post(path, body, headers=keyed())
    rows = ingest.inbox()
    again = ingest.post(path, body, headers=keyed())
    assert (first.status_code, again.status_code) == (status, status), first.text
    assert (REPLAYED in first.headers, again.headers[REPLAYED]) == (False, "true")
    assert again.content == first.content
    assert ingest.inbox() == rows
    other = ingest.post(path, [], headers=keyed()) if body else ingest.post(path, {}, headers=keyed())
    assert (other.status_code, other.json()["errors"][0]["field"]) == (422, "Idempotency-Key")
    assert len(ingest.rows("SELECT 1 FROM idempotency_keys")) == 1


def test_an_answer_stands_also_when_the_request_would_be_refused_by_now(ingest: Ingest) -> None:
    rule = ingest.rule(ingest.framework())
    first = ingest.post("/triggers", trigger(rule), headers=keyed())
    with psycopg.connect(ingest.store.owner_url) as owner:
        owner.execute("SELECT set_config('app.workspace_id', %s, true)", (str(ingest.workspace_id),))
        owner.execute("SET LOCAL ROLE convex_definer")
        owner.execute("UPDATE rules SET enabled = false")
    eventually(lambda: ingest.post("/triggers", trigger(rule)).status_code == 422, within=20)
    again = ingest.post("/triggers", trigger(rule), headers=keyed())
    assert (again.status_code, again.content) == (202, first.content)


def test_without_a_key_nothing_is_stored(ingest: Ingest) -> None:
    rule = ingest.rule(ingest.framework())
    assert [ingest.post("/triggers", trigger(rule)).status_code for _ in range(2)] == [202, 202]
    assert len(ingest.inbox()) == 2
    assert ingest.rows("SELECT 1 FROM idempotency_keys") == []


def test_a_key_that_is_none_is_refused(ingest: Ingest) -> None:
    answer = ingest.post("/triggers", trigger(str(uuid.uuid4())), headers=keyed("a b"))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Idempotency-Key")


def test_fifty_at_once_are_accepted_once(ingest: Ingest) -> None:
    rule = ingest.rule(ingest.framework())

    async def sent() -> list[httpx.Response]:
        return await asyncio.gather(
            *(ingest.request("POST", "/triggers", trigger(rule), headers=keyed()) for _ in range(50))
        )

    answers = ingest.run(sent())
    taken = [answer for answer in answers if answer.status_code == 202]
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.content for answer in taken}) == 1
    assert len(ingest.inbox()) == 1


def test_keyed_and_other_requests_share_a_commit(ingest: Ingest) -> None:
    rule = ingest.rule(ingest.framework())
    assert ingest.post("/triggers", trigger(rule, 0), headers=keyed("3")).status_code == 202

    async def sent() -> list[httpx.Response]:
        requests = [
            ingest.request("POST", "/triggers", trigger(rule, 0), headers=keyed(str(n)) if n % 2 else None)
            for n in range(40)
        ]
        return await asyncio.gather(*requests)

    answers = ingest.run(sent())
    assert {answer.status_code for answer in answers} == {202}
    assert [n for n, answer in enumerate(answers) if REPLAYED in answer.headers] == [3]
    assert len(ingest.inbox()) == 40
    assert sorted(str(row[0]) for row in ingest.inbox()) == sorted({a.json()["event_ids"][0] for a in answers})


def test_two_gateways_accept_it_once(ingest: Ingest, store: Store, database: Database) -> None:
    rule = ingest.rule(ingest.framework())
    other = Ingest(store, database, secrets=ingest.secrets)
    answers: list[httpx.Response] = []
    together = threading.Barrier(2)

    def send(one: Ingest) -> None:
        for number in range(20):
            together.wait(20)
            answers.append(one.post("/triggers", trigger(rule), headers=keyed(str(number))))

    threads = [threading.Thread(target=send, args=(one,)) for one in (ingest, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    other.close()
    assert [answer.status_code for answer in answers] == [202] * 40
    assert len(ingest.inbox()) == 20
    assert {answer.json()["event_ids"][0] for answer in answers} == {str(row[0]) for row in ingest.inbox()}


@pytest.fixture
def gateways(ingest: Ingest) -> Iterator[Callable[[], GatewayProcess]]:
    """Gateway processes on the store, one after the other, all with the same keys."""
    environment = alone(ingest.store.url)
    with contextlib.ExitStack() as processes:
        yield lambda: processes.enter_context(ready(environment))


WAITING = """SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE %s"""


@pytest.mark.parametrize(
    ("path", "statement", "committed"),
    [("/triggers", "%ingest_once%", True), ("/frameworks", "%keep_idempotency_keys%", False)],
)
def test_a_gateway_killed_before_it_could_answer_leaves_one_effect(
    ingest: Ingest, gateways: Callable[[], GatewayProcess], path: str, statement: str, committed: bool
) -> None:
    """Events are committed by their one statement, which goes on without the gateway; REST's transaction is undone."""
    rule = ingest.rule(ingest.framework())
    body = trigger(rule) if path == "/triggers" else {"name": "made once"}
    token = token_of(ingest.workspace_id, "editor", "editor")
    headers = {"Authorization": f"Bearer {token}", **keyed()}

    def post(to: GatewayProcess, timeout: float = 20) -> httpx.Response:
        return httpx.post(f"{to.url}/api/v1{path}", json=body, headers=headers, timeout=timeout)

    first = gateways()
    with psycopg.connect(ingest.store.owner_url) as owner, psycopg.connect(ingest.store.owner_url) as looking:
        looking.autocommit = True
        owner.execute("LOCK TABLE idempotency_keys IN SHARE MODE")

        def lost() -> None:
            with pytest.raises(httpx.TransportError):
                post(first)

        sender = threading.Thread(target=lost)
        sender.start()
        eventually(lambda: looking.execute(WAITING, (statement,)).fetchone() == (1,), within=20)
        first.kill()
        sender.join(20)
        owner.rollback()
    made = "inbox" if path == "/triggers" else "frameworks WHERE name = 'made once'"
    if committed:
        eventually(lambda: len(ingest.rows(f"SELECT 1 FROM {made}")) == 1, within=10)
    second = gateways()
    retried = post(second)
    assert (retried.status_code, REPLAYED in retried.headers) == (202 if committed else 201, committed), retried.text
    assert post(second).headers[REPLAYED] == "true"
    assert len(ingest.rows(f"SELECT 1 FROM {made}")) == 1
