"""Rules by REST: what must hold between their fields, at once and after a change."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from convex_common.domain.alert import Status
from convex_common.domain.fingerprint import shard_of
from convex_common.events import Withdrawn, decode
from tests.support.rest import Api, token_of

pytestmark = pytest.mark.timeout(120)

UNKNOWN = str(uuid.uuid4())


def test_a_rule_has_its_defaults(api: Api) -> None:
    framework_id = api.framework()
    rule = api.rule(framework_id)
    assert rule | {"id": 0, "created_at": 0, "updated_at": 0, "version": 0} == {
        "id": 0, "framework_id": framework_id, "name": "slow", "alert_type": "threshold", "metric": "latency",
        "condition": "above", "threshold_value": 10.0, "change_percentage": None, "window_seconds": None,
        "aggregation": None, "for_seconds": 0, "clear_value": None, "sensitivity": None, "heeds_verdicts": None,
        "raised": None, "horizon_seconds": None,
        "probability": None, "suppression_seconds": 300, "severity": "warning", "labels": {},
        "channel_ids": None, "enabled": True, "created_at": 0, "updated_at": 0, "version": 0,
    }  # fmt: skip
    assert api.get(f"/rules/{rule['id']}", role="viewer").json() == rule


GOOD: dict[str, dict[str, Any]] = {
    "clear below the limit": {"clear_value": 8},
    "clear at the limit": {"clear_value": 10},
    "below, clear above": {"condition": "below", "clear_value": 12},
    "equals": {"condition": "equals"},
    "changes_by": {"condition": "changes_by", "threshold_value": None, "change_percentage": 20, "clear_value": 0},
    "window": {"window_seconds": 86_400, "aggregation": "max"},
    "longest times": {"for_seconds": 86_400, "suppression_seconds": 604_800},
    "no suppression": {"suppression_seconds": 0},
    "a whole number as some languages write it": {"for_seconds": 60.0},
    "performance": {"alert_type": "performance"},
    "milestone": {"alert_type": "milestone"},
    "anomaly": {"alert_type": "anomaly", "sensitivity": 0.7},
    "forecast": {"alert_type": "forecast", "horizon_seconds": 7200, "probability": 0.9},
    "disabled": {"enabled": False},
}


def test_good_rules_are_kept_as_they_are(api: Api) -> None:
    framework_id = api.framework()
    for case, changed in GOOD.items():
        rule = api.rule(framework_id, **changed)
        assert {name: rule[name] for name in changed} == changed, case


def test_a_window_averages_unless_told_otherwise(api: Api) -> None:
    framework_id = api.framework()
    rule = api.rule(framework_id, window_seconds=60)
    assert rule["aggregation"] == "avg"
    assert api.patch(f"/rules/{rule['id']}", {"window_seconds": None}).json()["aggregation"] is None


def test_a_rule_that_learns_has_what_is_usual_for_its_type(api: Api) -> None:
    framework_id = api.framework()
    body = {"framework_id": framework_id, "name": "odd", "metric": "latency"}
    anomaly = api.post("/rules", {**body, "alert_type": "anomaly"}).json()
    assert (anomaly["condition"], anomaly["sensitivity"], anomaly["threshold_value"]) == ("changes_by", 0.5, None)
    forecast = api.rule(framework_id, alert_type="forecast")
    assert (forecast["horizon_seconds"], forecast["probability"], forecast["sensitivity"]) == (14_400, 0.8, None)
    path = f"/rules/{forecast['id']}"
    plain = api.patch(path, {"alert_type": "threshold"}).json()
    assert (plain["horizon_seconds"], plain["probability"]) == (None, None), "they went with the type"
    learnt = api.patch(path, {"alert_type": "anomaly", "threshold_value": None, "condition": None}).json()
    assert (learnt["condition"], learnt["sensitivity"]) == ("changes_by", 0.5)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no name": ({"name": None}, "name"),
    "no metric": ({"metric": ""}, "metric"),
    "unknown condition": ({"condition": "over"}, "condition"),
    "above without threshold": ({"threshold_value": None}, "threshold_value"),
    "below without threshold": ({"condition": "below", "threshold_value": None}, "threshold_value"),
    "equals without threshold": ({"condition": "equals", "threshold_value": None}, "threshold_value"),
    "threshold is text": ({"threshold_value": "10"}, "threshold_value"),
    "threshold is a switch": ({"threshold_value": True}, "threshold_value"),
    "changes_by without percentage": ({"condition": "changes_by"}, "change_percentage"),
    "changes_by nothing": ({"condition": "changes_by", "change_percentage": 0}, "change_percentage"),
    "changes_by less than nothing": ({"condition": "changes_by", "change_percentage": -5}, "change_percentage"),
    "clear above the limit": ({"clear_value": 11}, "clear_value"),
    "clear below the limit": ({"condition": "below", "clear_value": 9}, "clear_value"),
    "clear of equals": ({"condition": "equals", "clear_value": 10}, "clear_value"),
    "clear beyond the change": (
        {"condition": "changes_by", "change_percentage": 20, "clear_value": 21},
        "clear_value",
    ),
    "clear below no change": ({"condition": "changes_by", "change_percentage": 20, "clear_value": -1}, "clear_value"),
    "absence": ({"alert_type": "absence"}, "alert_type"),
    "threshold without condition": ({"condition": None}, "condition"),
    "anomaly that equals": ({"alert_type": "anomaly", "condition": "equals"}, "condition"),
    "anomaly beyond a threshold on either side": ({"alert_type": "anomaly", "condition": None}, "threshold_value"),
    "anomaly of a window": ({"alert_type": "anomaly", "window_seconds": 60}, "window_seconds"),
    "anomaly with a clear value": ({"alert_type": "anomaly", "clear_value": 8}, "clear_value"),
    "anomaly that tells everything": ({"alert_type": "anomaly", "sensitivity": 1}, "sensitivity"),
    "anomaly with a horizon": ({"alert_type": "anomaly", "horizon_seconds": 3600}, "horizon_seconds"),
    "threshold with a sensitivity": ({"sensitivity": 0.5}, "sensitivity"),
    "forecast of equals": ({"alert_type": "forecast", "condition": "equals"}, "condition"),
    "forecast of nothing": ({"alert_type": "forecast", "threshold_value": None}, "threshold_value"),
    "forecast too far ahead": ({"alert_type": "forecast", "horizon_seconds": 604_801}, "horizon_seconds"),
    "forecast of a certainty": ({"alert_type": "forecast", "probability": 1}, "probability"),
    "forecast of a coin": ({"alert_type": "forecast", "probability": 0.4}, "probability"),
    "unknown type": ({"alert_type": "hunch"}, "alert_type"),
    "window of nothing": ({"window_seconds": 0}, "window_seconds"),
    "window too long": ({"window_seconds": 86_401}, "window_seconds"),
    "window is a fraction": ({"window_seconds": 1.5}, "window_seconds"),
    "aggregation without window": ({"aggregation": "avg"}, "aggregation"),
    "unknown aggregation": ({"window_seconds": 60, "aggregation": "median"}, "aggregation"),
    "hold too long": ({"for_seconds": 86_401}, "for_seconds"),
    "hold below nothing": ({"for_seconds": -1}, "for_seconds"),
    "suppression too long": ({"suppression_seconds": 604_801}, "suppression_seconds"),
    "suppression is null": ({"suppression_seconds": None}, "suppression_seconds"),
    "unknown severity": ({"severity": "bad"}, "severity"),
    "enabled is a word": ({"enabled": "yes"}, "enabled"),
    "label is a number": ({"labels": {"team": 3}}, "labels.team"),
    "framework is no id": ({"framework_id": "checkout"}, "framework_id"),
    "framework is unknown": ({"framework_id": UNKNOWN}, "framework_id"),
    "channel is no id": ({"channel_ids": ["mail"]}, "channel_ids[0]"),
    "channel is unknown": ({"channel_ids": [UNKNOWN]}, "channel_ids[0]"),
    "unknown field": ({"treshold": 3}, "treshold"),
}


def test_bad_rules_are_refused_by_field(api: Api) -> None:
    body = {"framework_id": api.framework(), "name": "slow", "metric": "latency", "condition": "above",
            "threshold_value": 10}  # fmt: skip
    before = api.config_version()
    for case, (changed, field) in BAD.items():
        answer = api.post("/rules", body | changed)
        assert answer.status_code == 422, (case, answer.text)
        assert [error["field"] for error in answer.json()["errors"]] == [field], case
    assert api.get("/rules").json()["items"] == []
    assert api.config_version() == before


def test_a_change_is_held_against_the_whole_rule(api: Api) -> None:
    rule = api.rule(api.framework(), clear_value=8)
    path = f"/rules/{rule['id']}"
    for patch, field in (
        ({"threshold_value": 7}, "clear_value"),
        ({"threshold_value": None}, "threshold_value"),
        ({"condition": "changes_by"}, "change_percentage"),
        ({"aggregation": "max"}, "aggregation"),
        ({"name": None}, "name"),
        ({"enabled": None}, "enabled"),
        ({"framework_id": api.framework("other")}, "framework_id"),
        ({"channel_ids": [UNKNOWN]}, "channel_ids[0]"),
        ({"id": rule["id"]}, "id"),
    ):
        answer = api.patch(path, patch)
        assert (answer.status_code, [e["field"] for e in answer.json()["errors"]]) == (422, [field]), patch
    assert api.get(path).json() == rule
    changed = api.patch(path, {"threshold_value": 7, "clear_value": None, "framework_id": rule["framework_id"]})
    assert changed.status_code == 200
    untold = {"updated_at": 0, "version": 0}
    assert changed.json() | untold == rule | {"threshold_value": 7.0, "clear_value": None} | untold
    assert api.patch(path, {}).json()["threshold_value"] == 7.0


def test_rules_are_filtered(api: Api) -> None:
    one, two = api.framework("one"), api.framework("two")
    on, off = api.rule(one), api.rule(two, enabled=False, alert_type="milestone")

    def listed(query: str) -> list[str]:
        return [item["id"] for item in api.get(f"/rules?{query}").json()["items"]]

    assert listed("") == [on["id"], off["id"]]
    assert listed(f"framework_id={two}") == [off["id"]]
    assert listed("enabled=true") == [on["id"]]
    assert listed("alert_type=milestone") == [off["id"]]
    assert listed(f"framework_id={UNKNOWN}") == []
    assert api.get("/rules?enabled=perhaps").json()["errors"][0]["field"] == "enabled"


def test_channels_of_a_rule_are_its_workspaces(api: Api, elsewhere: uuid.UUID) -> None:
    theirs = api.webhook(token=token_of(elsewhere, "editor", "editor"))
    mine = api.webhook()
    framework_id = api.framework()
    assert api.rule(framework_id, channel_ids=[mine])["channel_ids"] == [mine]
    assert api.rule(framework_id, channel_ids=[])["channel_ids"] is None
    body = {"framework_id": framework_id, "name": "a", "metric": "m", "condition": "above", "threshold_value": 1}
    answer = api.post("/rules", body | {"channel_ids": [mine, theirs]})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "channel_ids[1]")
    foreign = api.framework(token=token_of(elsewhere, "editor", "editor"))
    answer = api.post("/rules", body | {"framework_id": foreign})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "framework_id")


def test_a_deleted_rule_is_gone(api: Api) -> None:
    rule = api.rule(api.framework())
    assert api.delete(f"/rules/{rule['id']}").status_code == 204
    assert api.delete(f"/rules/{rule['id']}").status_code == 404
    assert api.get("/rules").json()["items"] == []


ENDINGS: dict[str, tuple[dict[str, Any] | None, str]] = {
    "deleted": (None, "rule_deleted"),
    "disabled": ({"enabled": False}, "rule_disabled"),
    "given another metric": ({"metric": "errors"}, "rule_changed"),
}


def test_a_rule_that_ends_withdraws_its_open_alerts(api: Api) -> None:
    framework_id = api.framework()
    for case, (patch, reason) in ENDINGS.items():
        rule, other = api.rule(framework_id), api.rule(framework_id)
        open_ = api.alert(framework_id, rule_id=uuid.UUID(rule["id"]))
        api.alert(framework_id, rule_id=uuid.UUID(rule["id"]), status=Status.RESOLVED)
        api.alert(framework_id, rule_id=uuid.UUID(other["id"]))
        path = f"/rules/{rule['id']}"
        assert (api.delete(path) if patch is None else api.patch(path, patch)).status_code < 300
        ((kind, subject, key, shard, due, payload),) = api.rows(
            "DELETE FROM timers RETURNING kind, subject, key, shard, due_at <= now(), payload"
        )
        assert (kind, subject, key, shard, due) == (
            "withdrawn", str(open_.id), open_.fingerprint, shard_of(open_.fingerprint), True
        ), case  # fmt: skip
        assert decode(f"timer:{kind}", payload) == Withdrawn(rule_id=uuid.UUID(rule["id"]), reason=reason), case


def test_a_rule_that_goes_on_keeps_its_alerts(api: Api) -> None:
    framework_id = api.framework()
    rule = api.rule(framework_id)
    api.alert(framework_id, rule_id=uuid.UUID(rule["id"]))
    for patch in ({"threshold_value": 20}, {"enabled": True}, {"metric": rule["metric"]}, {"severity": "critical"}):
        assert api.patch(f"/rules/{rule['id']}", patch).status_code == 200
    assert api.rows("SELECT 1 FROM timers") == []


def test_a_rule_is_changed_as_it_was_seen_or_not_at_all(api: Api) -> None:
    seen = api.rule(api.framework())
    path = f"/rules/{seen['id']}"
    as_seen = {"headers": {"If-Match": f'"{seen["version"]}"'}}
    assert api.get(path, role="viewer").headers["etag"] == f'"{seen["version"]}"'

    changed = api.patch(path, {"threshold_value": 20}, **as_seen)
    assert (changed.status_code, changed.headers["etag"]) == (200, f'"{changed.json()["version"]}"')
    assert changed.json()["version"] != seen["version"]
    for late in (api.patch(path, {"threshold_value": 30}, **as_seen), api.delete(path, **as_seen)):
        assert late.status_code == 412, late.text
        assert str(changed.json()["version"]) in late.json()["detail"]
    assert api.get(path, role="viewer").json() == changed.json()
    assert [item["version"] for item in api.get("/rules").json()["items"]] == [changed.json()["version"]]

    assert api.patch(path, {"threshold_value": 30}, headers={"If-Match": "*"}).status_code == 200
    assert api.patch(path, {"threshold_value": 40}).status_code == 200, "as before without the header"
    now = api.get(path, role="viewer").headers["etag"]
    assert api.delete(path, headers={"If-Match": now}).status_code == 204
    assert api.delete(path, headers={"If-Match": now}).status_code == 404


def test_a_version_that_is_none_is_refused_before_anything_is_changed(api: Api) -> None:
    rule = api.rule(api.framework())
    for header in ("yesterday", '""', '"1", "2"', "-1"):
        for answer in (
            api.patch(f"/rules/{rule['id']}", {"threshold_value": 20}, headers={"If-Match": header}),
            api.delete(f"/rules/{rule['id']}", headers={"If-Match": header}),
        ):
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "If-Match"), header
    assert api.get(f"/rules/{rule['id']}", role="viewer").json() == rule


def test_a_person_has_the_last_word_on_a_bar_that_verdicts_raised(api: Api) -> None:
    framework_id = api.framework()
    raised = {"by": 0.1, "false_alarms": 6, "judged": 10, "moved_at": "2026-03-02T00:00:00+00:00"}
    fields = {"alert_type": "anomaly", "condition": None, "threshold_value": None}
    changes: list[tuple[dict[str, Any], bool]] = [
        ({"name": "odd"}, True),
        ({"severity": "critical"}, True),
        ({"sensitivity": 0.6}, False),
        ({"heeds_verdicts": False}, False),
        ({"alert_type": "threshold", "condition": "above", "threshold_value": 1}, False),
    ]
    for change, stays in changes:
        rule = api.rule(framework_id, **fields)
        assert (rule["heeds_verdicts"], rule["raised"]) == (True, None)
        with psycopg.connect(api.store.owner_url) as owner:
            owner.execute("UPDATE rules SET raised = %s WHERE id = %s", (Jsonb(raised), rule["id"]))
        changed = api.patch(f"/rules/{rule['id']}", change)
        assert changed.status_code == 200, changed.text
        assert (changed.json()["raised"] is not None) == stays, change
        assert api.get(f"/rules/{rule['id']}").json() == changed.json()
    plain = {
        "framework_id": framework_id,
        "name": "slow",
        "metric": "latency",
        "condition": "above",
        "threshold_value": 1,
    }
    answer = api.post("/rules", plain | {"heeds_verdicts": True})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "heeds_verdicts")
