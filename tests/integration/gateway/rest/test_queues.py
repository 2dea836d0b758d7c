"""Queues and their quarantine: shown without secrets, sent round again in order, dropped, and on record."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import psycopg
import pytest

from convex_common import events
from convex_common.domain.fingerprint import fingerprint, shard_of
from convex_common.events import Trigger
from convex_processor.failures import MAX_ATTEMPTS
from tests.support.processing import Bench
from tests.support.rest import Api, token_of

ADMIN = "owner"


@pytest.fixture
def bench(api: Api) -> Bench:
    return Bench.of(api.store)


class Quarantine:
    """Events that were put aside, as the processor does it."""

    def __init__(self, api: Api, bench: Bench) -> None:
        self.api, self.bench = api, bench
        self.rule_id = bench.rule()

    def add(self, payload: bytes | None = None, **labels: str) -> uuid.UUID:
        trigger = Trigger(rule_id=self.rule_id, framework_id=self.bench.framework_id, value=200.0, labels=labels)
        key = fingerprint(self.api.workspace_id, self.bench.framework_id, self.rule_id, labels)
        event_id = self.api.ids.new()
        with psycopg.connect(self.api.store.owner_url) as owner:
            owner.execute(
                "INSERT INTO quarantine (workspace_id, id, queue, kind, shard, key, payload, attempts, last_error) "
                "VALUES (%s, %s, 'alert', 'trigger', %s, %s, %s, 3, %s)",
                (self.api.workspace_id, event_id, shard_of(key), key, payload or events.encode(trigger),
                 "RuntimeError: password=hunter2 was refused"),
            )  # fmt: skip
        return event_id

    def ids(self) -> list[str]:
        return [item["id"] for item in self.items()]

    def items(self) -> list[dict[str, Any]]:
        answer = self.api.get("/queues/alert/quarantine")
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    def audited(self) -> list[tuple[Any, ...]]:
        return self.api.rows("SELECT actor, action, subject, detail->'ids' FROM audit_log ORDER BY sequence")


@pytest.fixture
def quarantine(api: Api, bench: Bench) -> Quarantine:
    return Quarantine(api, bench)


def test_queues_are_listed(api: Api, quarantine: Quarantine) -> None:
    quarantine.add()
    items = {item["name"]: item for item in api.get("/queues", role="viewer").json()["items"]}
    assert list(items) == ["alert", "notification", "analytics", "prediction", "scheduler"]
    assert items["alert"]["failed"] == 1
    assert items["alert"]["wait"] is None  # Redis is away


def test_shown_without_secrets(quarantine: Quarantine) -> None:
    first = quarantine.add(b'{"context": {"api_key": "hunter2", "note": "Bearer hunter2hunter2"}, "value": 1}')
    second = quarantine.add(b"\xff no JSON, password=hunter2")
    items = quarantine.items()
    assert [item["id"] for item in items] == [str(second), str(first)]
    assert all("hunter2" not in str(item) for item in items)
    assert items[1] | {"quarantined_at": None} == {
        "id": str(first),
        "queue": "alert",
        "kind": "trigger",
        "reason": "RuntimeError: password=*** was refused",
        "attempts": 3,
        "quarantined_at": None,
        "payload": '{"context":{"api_key":"***","note":"Bearer ***"},"value":1}',
    }
    page = quarantine.api.get("/queues/alert/quarantine", params={"limit": 1}).json()
    rest = quarantine.api.get("/queues/alert/quarantine", params={"cursor": page["next_cursor"]}).json()
    assert [item["id"] for item in page["items"] + rest["items"]] == [str(second), str(first)]


def test_a_replayed_event_is_processed_once_and_in_its_place(quarantine: Quarantine, bench: Bench) -> None:
    api = quarantine.api
    event_id = quarantine.add()
    bench.trigger(quarantine.rule_id, value=300.0)  # accepted later, of the same alert, and still waiting
    answer = api.post(f"/queues/alert/quarantine/{event_id}/replay")
    assert answer.status_code == 202, answer.text
    assert answer.json() == {"ids": [str(event_id)], "remaining": 0}
    assert [name for name, _ in api.redis.hints] == ["events_accepted"]
    bench.drain()
    alert = bench.alert()
    assert (alert["occurrences"], alert["current_value"]) == (2, 300.0)
    seen = bench.rows('SELECT event_ids FROM alert_log ORDER BY "offset"')
    assert str(seen[0]["event_ids"][0]) == str(event_id)
    assert api.post(f"/queues/alert/quarantine/{event_id}/replay").status_code == 404
    assert quarantine.audited() == [("editor", "quarantine.replayed", "queue:alert", [str(event_id)])]


def test_poison_is_put_aside_shown_and_processed_once_its_cause_is_gone(api: Api, bench: Bench) -> None:
    rule_id = api.ids.new()
    event_id = bench.trigger(rule_id)  # of a rule that there is not
    for _ in range(MAX_ATTEMPTS):
        bench.drain()
        with psycopg.connect(api.store.owner_url) as owner:
            owner.execute("UPDATE inbox SET due_at = '-infinity'")
    (item,) = api.get("/queues/alert/quarantine").json()["items"]
    assert (item["id"], item["attempts"]) == (str(event_id), MAX_ATTEMPTS)
    assert f"rule {rule_id} is gone" in item["reason"]
    bench.rule(id=rule_id)
    assert api.post("/queues/alert/quarantine/replay", {"ids": [str(event_id)]}).json()["remaining"] == 0
    bench.drain()
    bench.drain()
    assert bench.alert()["occurrences"] == 1
    assert not bench.rows("SELECT FROM inbox UNION ALL SELECT FROM quarantine")
    told = api.get("/api/metrics/alerts").json()
    assert (told["processed"], told["errors"]) == (1, MAX_ATTEMPTS)


def test_dropped_is_gone_and_on_record(quarantine: Quarantine, bench: Bench) -> None:
    api, event_id = quarantine.api, quarantine.add()
    assert api.post(f"/queues/alert/quarantine/{event_id}/drop").status_code == 403
    answer = api.post(f"/queues/alert/quarantine/{event_id}/drop", role=ADMIN)
    assert (answer.status_code, answer.json()) == (200, {"ids": [str(event_id)], "remaining": 0})
    bench.drain()
    assert not bench.rows("SELECT FROM alerts")
    assert not quarantine.ids()
    assert api.post(f"/queues/alert/quarantine/{event_id}/drop", role=ADMIN).status_code == 404
    assert quarantine.audited() == [("owner", "quarantine.dropped", "queue:alert", [str(event_id)])]


@pytest.mark.parametrize(("act", "status"), [("replay", 202), ("drop", 200)])
def test_many_at_once(quarantine: Quarantine, act: str, status: int) -> None:
    api = quarantine.api
    ids = [str(quarantine.add(n=str(number))) for number in range(5)]
    chosen = [ids[3], ids[1], str(uuid.uuid4())]
    answer = api.post(f"/queues/alert/quarantine/{act}", {"ids": chosen}, role=ADMIN)
    assert answer.status_code == status, answer.text
    assert sorted(answer.json()["ids"]) == sorted(ids[1:4:2])
    assert answer.json()["remaining"] == 3
    assert quarantine.ids() == [ids[4], ids[2], ids[0]]
    answer = api.post(f"/queues/alert/quarantine/{act}", {}, role=ADMIN)
    assert sorted(answer.json()["ids"]) == sorted([ids[0], ids[2], ids[4]])
    assert answer.json()["remaining"] == 0
    assert api.post(f"/queues/alert/quarantine/{act}", {}, role=ADMIN).json() == {"ids": [], "remaining": 0}
    assert len(quarantine.audited()) == 2


def test_a_key_replays_once(quarantine: Quarantine) -> None:
    event_id = quarantine.add()
    headers = {"Idempotency-Key": "once"}
    first = quarantine.api.post(f"/queues/alert/quarantine/{event_id}/replay", headers=headers)
    again = quarantine.api.post(f"/queues/alert/quarantine/{event_id}/replay", headers=headers)
    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (202, first.json())


def test_another_workspaces_is_not_there(quarantine: Quarantine, elsewhere: uuid.UUID) -> None:
    event_id, token = quarantine.add(), token_of(elsewhere, "editor", "editor")
    assert quarantine.api.get("/queues/alert/quarantine", token=token).json()["items"] == []
    assert quarantine.api.post(f"/queues/alert/quarantine/{event_id}/replay", token=token).status_code == 404
    assert quarantine.api.post("/queues/alert/quarantine/replay", {}, token=token).json()["ids"] == []
    assert quarantine.ids() == [str(event_id)]


def put_aside_delivery(api: Api) -> str:
    framework_id = api.framework()
    api.webhook()
    api.alert(framework_id, notified=True)
    with psycopg.connect(api.store.owner_url) as owner:
        row = owner.execute(
            "UPDATE deliveries SET status = 'quarantined', attempts = 5, last_error = '500', finished_at = now() "
            "RETURNING id"
        ).fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize(("act", "becomes"), [("replay", "pending"), ("drop", "failed")])
def test_deliveries(api: Api, act: str, becomes: str) -> None:
    delivery_id = put_aside_delivery(api)
    (item,) = api.get("/queues/notification/quarantine").json()["items"]
    assert (item["id"], item["kind"], item["reason"], item["attempts"]) == (delivery_id, "webhook", "500", 5)
    assert '"title"' in item["payload"]
    answer = api.post(f"/queues/notification/quarantine/{delivery_id}/{act}", role=ADMIN)
    assert answer.json() == {"ids": [delivery_id], "remaining": 0}
    delivery = api.get(f"/deliveries/{delivery_id}").json()
    assert delivery["status"] == becomes
    if act == "replay":
        assert (delivery["failures"], delivery["last_error"], delivery["finished_at"]) == (0, None, None)
        assert api.redis.hints[-1][0] == "deliveries_due"
    assert api.get("/queues/notification/quarantine").json()["items"] == []


@pytest.mark.parametrize(("act", "becomes"), [("replay", "pending"), ("drop", "failed")])
def test_jobs_are_the_operators(api: Api, act: str, becomes: str) -> None:
    run_id = api.ids.new()
    with psycopg.connect(api.store.owner_url) as owner:
        owner.execute(
            "INSERT INTO job_runs (id, job, slot, queue, status, attempts, last_error, finished_at) "
            "VALUES (%s, 'analytics-aggregation', %s, 'analytics', 'quarantined', 3, 'no disk', now())",
            (run_id, dt.datetime(2026, 3, 10, 2, tzinfo=dt.UTC)),
        )
    assert api.get("/queues/analytics/quarantine", role=ADMIN).status_code == 403
    assert api.post(f"/queues/analytics/quarantine/{run_id}/{act}", role=ADMIN).status_code == 403
    token = token_of(api.workspace_id, "owner", "owner", operator=True)
    (item,) = api.get("/queues/analytics/quarantine", token=token).json()["items"]
    assert (item["kind"], item["reason"]) == ("analytics-aggregation", "no disk")
    assert "2026-03-10" in item["payload"]
    answer = api.post(f"/queues/analytics/quarantine/{run_id}/{act}", token=token)
    assert answer.json() == {"ids": [str(run_id)], "remaining": 0}
    ((status, attempts),) = api.rows("SELECT status, attempts FROM job_runs")
    assert (status, attempts) == (becomes, 0 if act == "replay" else 3)


@pytest.mark.parametrize("path", ["/queues/nonsense/quarantine", "/queues/alert/quarantine/nonsense/replay"])
def test_what_is_not_there(api: Api, path: str) -> None:
    method = "GET" if path.endswith("quarantine") else "POST"
    assert api.call(method, path).status_code == 404


def test_viewers_see_queues_but_no_payloads(api: Api) -> None:
    assert api.get("/queues/alert/quarantine", role="responder").status_code == 403
