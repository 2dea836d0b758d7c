"""Triggers and observations, from the request to the inbox."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from typing import Any

import pytest

from convex_common import events
from convex_common.domain.fingerprint import fingerprint, observations_key, series_key, shard_of
from tests.integration.gateway.ingest.conftest import Ingest

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def ahead(**by: float) -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(**by)).isoformat()


def test_a_trigger_becomes_a_row_of_its_fingerprint(ingest: Ingest) -> None:
    framework = ingest.framework()
    rule = ingest.rule(framework)
    answer = ingest.post(
        "/triggers",
        {"alert_rule_id": rule, "current_value": 12, "labels": {"pod": "a"}, "context": {"run": 1}},
        headers={"traceparent": TRACE},
    )
    assert answer.status_code == 202
    ((id_, shard, lane, kind, key, _, traceparent),) = ingest.inbox()
    assert answer.json() == {"accepted": 1, "event_ids": [str(id_)]}
    assert bytes(key) == fingerprint(ingest.workspace_id, uuid.UUID(framework), uuid.UUID(rule), {"pod": "a"})
    assert (shard, lane, kind) == (shard_of(bytes(key)), events.NORMAL_LANE, "trigger")
    assert traceparent.split("-")[1] == TRACE.split("-")[1]
    assert ingest.events() == [
        events.Trigger(
            rule_id=uuid.UUID(rule),
            framework_id=uuid.UUID(framework),
            value=12,
            labels={"pod": "a"},
            context={"run": 1},
        )
    ]
    assert ingest.hints.shards == [(shard,)]


def test_a_list_keeps_its_order_and_ids(ingest: Ingest) -> None:
    rule = ingest.rule(ingest.framework())
    sent = [{"alert_rule_id": rule, "current_value": value} for value in range(1000)]
    answer = ingest.post("/triggers", sent)
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 1000
    assert answer.json()["event_ids"] == [str(row[0]) for row in ingest.inbox()]
    assert [event.value for event in ingest.events()] == list(range(1000))


@pytest.mark.parametrize(
    ("rule_severity", "severity", "lane"),
    [("critical", None, 0), ("warning", "critical", 0), ("critical", "info", 1), ("warning", None, 1)],
)
def test_the_lane_is_by_effective_severity(ingest: Ingest, rule_severity: str, severity: str | None, lane: int) -> None:
    rule = ingest.rule(ingest.framework(), severity=rule_severity)
    ingest.post("/triggers", {"alert_rule_id": rule, "current_value": 1, "severity": severity})
    assert [row[2] for row in ingest.inbox()] == [lane]


def test_a_rule_made_enabled_or_deleted_elsewhere_is_known(ingest: Ingest) -> None:
    rule = ingest.rule(ingest.framework(), enabled=False)
    trigger = {"alert_rule_id": rule, "current_value": 1}
    refused = ingest.post("/triggers", trigger)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "alert_rule_id")
    assert ingest.run(ingest.request("PATCH", f"/rules/{rule}", {"enabled": True}, role="editor")).status_code == 200
    assert ingest.post("/triggers", trigger).status_code == 202
    other = ingest.rule(ingest.framework("other"))
    assert ingest.run(ingest.request("DELETE", f"/rules/{other}", role="editor")).status_code == 204
    assert ingest.post("/triggers", trigger | {"alert_rule_id": other}).status_code == 422


def test_bad_lists_change_nothing_and_name_the_item(ingest: Ingest, elsewhere: uuid.UUID) -> None:
    framework = ingest.framework()
    rule = ingest.rule(framework)
    foreign = ingest.post("/frameworks", {"name": "theirs"}, role="editor", workspace=elsewhere).json()["id"]
    good_trigger, good_observation = {"alert_rule_id": rule, "current_value": 1}, {
        "framework_id": framework, "metric": "m", "value": 1}  # fmt: skip
    bad: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
        ("/triggers", good_trigger, {"alert_rule_id": str(uuid.uuid4())}, "alert_rule_id"),
        ("/triggers", good_trigger, {"framework_id": foreign}, "framework_id"),
        ("/triggers", good_trigger, {"occurred_at": ahead(minutes=6)}, "occurred_at"),
        ("/triggers", good_trigger, {"context": {"a": "x" * 17_000}}, "context"),
        ("/triggers", good_trigger, {"current_value": "high"}, "current_value"),
        ("/observations", good_observation, {"framework_id": foreign}, "framework_id"),
        ("/observations", good_observation, {"at": ahead(minutes=6)}, "at"),
        ("/observations", good_observation, {"metric": ""}, "metric"),
        ("/observations", good_observation, {"labels": {"a": "\0"}}, "labels"),
    ]
    for path, good, change, field in bad:
        answer = ingest.post(path, [good, good, good, good | change])
        assert answer.status_code == 422, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["errors"][0]["field"] == f"[3].{field}"
    assert ingest.inbox() == []
    assert ingest.hints.shards == []


@pytest.mark.parametrize("path", ["/triggers", "/observations", "/ingest/alertmanager/api/v2/alerts"])
def test_what_every_route_refuses(ingest: Ingest, path: str) -> None:
    assert ingest.post(path, b"{").status_code == 400
    assert ingest.post(path, b"[]", headers={"Content-Type": "text/plain"}).status_code == 415
    assert ingest.post(path, b"[]", headers={"Authorization": "Bearer nobody"}).status_code == 401
    assert ingest.post(path, b"[]", role="viewer").status_code == 403
    assert ingest.post(path, b" " * (8 * 1024 * 1024 + 1)).status_code == 413
    assert ingest.run(ingest.request("DELETE", path)).status_code == 405
    assert ingest.post(path, b"[]").status_code in {200, 202}
    assert ingest.inbox() == []


def test_a_body_without_a_length_is_stopped_while_it_arrives(ingest: Ingest) -> None:
    async def endless() -> Any:
        for _ in range(10_000):
            yield b" " * 65_536
        raise AssertionError("read to its end")

    async def sent() -> int:
        headers = {"Authorization": (await _bearer(ingest)), "Content-Type": "application/json"}
        answer = await ingest._client.post("/api/v1/triggers", content=endless(), headers=headers)
        return answer.status_code

    assert ingest.run(sent()) == 413


async def _bearer(ingest: Ingest) -> str:
    from tests.support.rest import token_of

    return f"Bearer {token_of(ingest.workspace_id, 'responder', 'responder')}"


def test_observations_become_rows_by_shard_in_the_order_of_their_series(ingest: Ingest) -> None:
    framework = ingest.framework()
    sent = [
        {"framework_id": framework, "metric": "m", "value": number, "labels": {"host": f"h{number % 150}"}}
        for number in range(5000)
    ]
    answer = ingest.post("/observations", sent)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 5000})
    of_host: dict[str, list[float]] = {}
    for row, event in zip(ingest.inbox(), ingest.events(), strict=True):
        assert len(event.items) <= 500
        assert bytes(row[4]) == observations_key(ingest.workspace_id, row[1])
        for item in event.items:
            assert shard_of(series_key(ingest.workspace_id, item.framework_id, item.metric, item.labels)) == row[1]
            of_host.setdefault(item.labels["host"], []).append(item.value)
    assert len(of_host) == 150
    assert all(values == sorted(values) and len(values) >= 33 for values in of_host.values())


def test_more_than_500_of_one_series_are_several_rows_in_order(ingest: Ingest) -> None:
    framework = ingest.framework()
    ingest.post("/observations", [{"framework_id": framework, "metric": "m", "value": n} for n in range(1200)])
    assert [len(event.items) for event in ingest.events()] == [500, 500, 200]
    assert [item.value for event in ingest.events() for item in event.items] == list(range(1200))


def test_an_observation_is_of_now_unless_it_says_otherwise(ingest: Ingest) -> None:
    observation = {"framework_id": ingest.framework(), "metric": "m", "value": 1.5}
    before = dt.datetime.now(dt.UTC)
    ingest.post("/observations", observation)
    ingest.post("/observations", observation | {"at": "2026-01-01T00:00:00+02:00"})
    first, second = (item for event in ingest.events() for item in event.items)
    assert before <= first.at <= dt.datetime.now(dt.UTC)
    assert second.at == dt.datetime(2025, 12, 31, 22, tzinfo=dt.UTC)


def test_tenants_see_only_their_own(ingest: Ingest, elsewhere: uuid.UUID) -> None:
    ours = ingest.rule(ingest.framework())
    theirs = ingest.post("/frameworks", {"name": "x"}, role="editor", workspace=elsewhere).json()["id"]
    assert ingest.post("/triggers", {"alert_rule_id": ours, "current_value": 1}).status_code == 202
    refused = ingest.post("/triggers", {"alert_rule_id": ours, "current_value": 1}, workspace=elsewhere)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "alert_rule_id")
    observation = {"framework_id": theirs, "metric": "m", "value": 1}
    assert ingest.post("/observations", observation, workspace=elsewhere).status_code == 202
    assert [row[3] for row in ingest.inbox()] == ["trigger"]
    assert [row[3] for row in ingest.inbox(elsewhere)] == ["observations"]


def test_64_at_once_share_their_commits(ingest: Ingest) -> None:
    rule = ingest.rule(ingest.framework())
    ingest.post("/triggers", {"alert_rule_id": rule, "current_value": -1})  # connects, and knows the rule
    ingest.hints.shards.clear()

    async def all_at_once() -> list[str]:
        posts = (ingest.request("POST", "/triggers", {"alert_rule_id": rule, "current_value": n}) for n in range(64))
        return [id_ for answer in await asyncio.gather(*posts) for id_ in answer.json()["event_ids"]]

    assert len(set(ingest.run(all_at_once()))) == 64
    commits = ingest.rows("SELECT count(DISTINCT xmin::text) FROM inbox")[0][0] - 1
    assert commits == len(ingest.hints.shards) <= 16
