"""Alerts by REST: lists, one, what people do with it, and its timeline."""

from __future__ import annotations

import datetime as dt
import json
import uuid

import pytest

from convex_common.domain.alert import Status, as_wire
from convex_common.domain.severity import Severity
from convex_common.feed import LiveEvent
from convex_gateway.shapes import alerts as shapes
from tests.support.rest import Api, token_of

pytestmark = pytest.mark.timeout(120)


def test_an_alert_reads_as_on_the_live_feed(api: Api) -> None:
    alert = api.alert(api.framework())
    answer = api.get(f"/alerts/{alert.id}", role="viewer")
    assert answer.content == as_wire(alert)
    assert answer.headers["etag"] == '"1"'
    assert api.rows("SELECT data FROM alert_log") == [(answer.content,)]
    shapes.Alert.model_validate_json(answer.content)


def test_a_list_tells_where_the_feed_stood(api: Api) -> None:
    empty = api.get("/alerts").json()
    epoch = str(api.rows("SELECT epoch FROM workspace_feed")[0][0])
    assert empty == {"items": [], "next_cursor": None, "epoch": epoch, "offset": 0}
    framework_id = api.framework()
    made = [str(api.alert(framework_id).id) for _ in range(3)]
    first = api.get("/alerts?limit=2")
    page = shapes.AlertPage.model_validate_json(first.content)
    assert ([str(item.id) for item in page.items], page.offset) == (made[:0:-1], 3)
    rest = api.get(f"/alerts?cursor={page.next_cursor}").json()
    assert ([item["id"] for item in rest["items"]], rest["next_cursor"]) == (made[:1], None)


def test_alerts_are_filtered(api: Api) -> None:
    one, two = api.framework("one"), api.framework("two")
    now = dt.datetime.now(dt.UTC)
    old = api.alert(one, triggered_at=now - dt.timedelta(days=2), title="100% full", labels={"disk": "sda_1"})
    bad = api.alert(two, severity=Severity.CRITICAL, alert_type="milestone", rule_name="Orders")
    done = api.alert(two, status=Status.RESOLVED)

    def listed(**query: object) -> list[uuid.UUID]:
        answer = api.call("GET", "/alerts", params=query)
        assert answer.status_code == 200, answer.text
        return [uuid.UUID(item["id"]) for item in answer.json()["items"]]

    assert listed() == [done.id, bad.id, old.id]
    assert listed(framework_id=one) == [old.id]
    assert listed(status="resolved") == [done.id]
    assert listed(status=["firing", "resolved"], framework_id=two) == [done.id, bad.id]
    assert listed(severity="critical") == [bad.id]
    assert listed(alert_type="milestone") == [bad.id]
    assert listed(since=(now - dt.timedelta(hours=1)).isoformat()) == [done.id, bad.id]
    assert listed(q="100%") == [old.id]
    assert listed(q="sda_") == [old.id]
    assert listed(q="sdax") == []
    assert listed(q="ORDERS") == [bad.id]
    assert listed(q="payments") == [done.id, bad.id]


def test_bad_filters_are_refused_by_name(api: Api) -> None:
    for query in ("status=open", "severity=bad", "alert_type=x", "since=yesterday", "since=2026-01-01T00:00:00",
                  "since=0001-01-01T00:00:00%2B14:00",
                  "q=%00", "framework_id=x"):  # fmt: skip
        answer = api.get(f"/alerts?{query}")
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["field"].startswith(query.partition("=")[0])


def test_people_acknowledge_and_resolve(api: Api) -> None:
    alert = api.alert(api.framework())
    path = f"/alerts/{alert.id}"
    acknowledged = api.post(f"{path}/acknowledge", role="responder")
    assert acknowledged.status_code == 200, acknowledged.text
    body = acknowledged.json()
    assert (body["status"], body["acknowledged_by"], body["version"]) == ("acknowledged", "responder", 2)
    assert acknowledged.headers["etag"] == '"2"'
    resolved = api.post(f"{path}/resolve", {"notes": "restarted it"}, role="responder")
    assert resolved.json()["resolution_notes"] == "restarted it"
    assert resolved.content == api.get(path).content
    again = [api.post(f"{path}/{verb}", {}, role="responder").status_code for verb in ("acknowledge", "resolve")]
    assert again == [409, 409]
    assert len(api.redis.published) == 2
    for action in ("acknowledge", "resolve"):
        value = api.gateway.metrics.registry.get_sample_value("alert_response_seconds_count", {"action": action})
        assert value == 1


def test_people_comment_on_open_and_resolved_alerts(api: Api, elsewhere: uuid.UUID) -> None:
    alert = api.alert(api.framework())
    path = f"/alerts/{alert.id}"
    commented = api.post(f"{path}/comment", {"text": "it is the new index"}, role="responder")
    assert commented.status_code == 200, commented.text
    assert commented.content == api.get(path).content, "the alert stays as it is"
    assert commented.headers["etag"] == '"1"'
    api.post(f"{path}/resolve", {}, role="responder")
    assert api.post(f"{path}/comment", {"text": "dropped it"}, headers={"If-Match": "2"}).status_code == 200
    said = [entry for entry in api.get(f"{path}/timeline").json()["items"] if entry.get("event") == "commented"]
    assert [(entry["actor"], entry["reason"], entry["detail"]["text"]) for entry in said] == [
        ("responder", "commented_by_person", "it is the new index"),
        ("editor", "commented_by_person", "dropped it"),
    ]
    assert len(api.redis.published) == 3
    refused = {
        403: api.post(f"{path}/comment", {"text": "me too"}, role="viewer"),
        404: api.post(f"{path}/comment", {"text": "whose is it?"}, token=token_of(elsewhere, "editor", "editor")),
        412: api.post(f"{path}/comment", {"text": "late"}, headers={"If-Match": "1"}),
    }
    assert {status: answer.status_code for status, answer in refused.items()} == {status: status for status in refused}
    for body in ({}, {"text": ""}, {"text": "x" * 4001}, {"text": 1}):
        assert api.post(f"{path}/comment", body).status_code == 422, body


def test_many_alerts_are_acted_on_at_once(api: Api, elsewhere: uuid.UUID) -> None:
    framework_id = api.framework()
    made = [api.alert(framework_id) for _ in range(3)]
    done = api.alert(framework_id, status=Status.ACKNOWLEDGED)
    nobodys = uuid.uuid4()
    ids = [str(made[2].id), str(done.id), str(nobodys), str(made[0].id), str(made[1].id)]
    answer = api.post("/alerts/bulk", {"ids": ids, "action": "acknowledge"}, role="responder")
    assert answer.status_code == 200, answer.text
    page = shapes.BulkAnswer.model_validate_json(answer.content)
    assert [str(item.id) for item in page.items] == ids
    assert [item.ok for item in page.items] == [True, False, False, True, True]
    assert [item.problem.status for item in page.items if item.problem] == [409, 404]
    for item in answer.json()["items"]:
        if item["ok"]:
            assert item["alert"] == api.get(f"/alerts/{item['id']}").json()
            assert (item["alert"]["status"], item["alert"]["acknowledged_by"]) == ("acknowledged", "responder")
    offsets = [event.offset for event in api.redis.published if isinstance(event, LiveEvent)]
    assert offsets == list(range(offsets[0], offsets[0] + 3)), "a frame for each, in order"
    acts = api.rows("SELECT actor, action, subject FROM audit_log WHERE left(action, 6) = 'alert.' ORDER BY sequence")
    assert acts == [("responder", "alert.acknowledged", f"alert:{made[n].id}") for n in (2, 0, 1)]
    resolved = api.post("/alerts/bulk", {"ids": ids, "action": "resolve", "notes": "all of it"}, role="responder")
    told = [item["alert"]["resolution_notes"] for item in resolved.json()["items"] if item["ok"]]
    assert told == ["all of it"] * 4
    token = token_of(elsewhere, "editor", "editor")
    others = api.post("/alerts/bulk", {"ids": ids, "action": "acknowledge"}, token=token).json()["items"]
    assert {item["problem"]["status"] for item in others} == {404}


def test_a_bad_bulk_is_refused_whole(api: Api) -> None:
    alert = api.alert(api.framework())
    one = str(alert.id)
    for body, field in (
        ({"ids": [], "action": "acknowledge"}, "ids"),
        ({"ids": [one, "x"], "action": "acknowledge"}, "ids[1]"),
        ({"ids": [one, str(uuid.uuid4()), one], "action": "acknowledge"}, "ids[2]"),
        ({"ids": [str(uuid.uuid4()) for _ in range(501)], "action": "acknowledge"}, "ids"),
        ({"ids": [one], "action": "delete"}, "action"),
        ({"ids": [one], "action": "acknowledge", "notes": "x"}, "notes"),
        ({"ids": [one]}, "action"),
    ):
        answer = api.post("/alerts/bulk", body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), body
    assert api.get(f"/alerts/{one}").content == as_wire(alert)


def test_a_bulk_sent_again_gets_its_first_answer_again_however_large_its_alerts(api: Api) -> None:
    framework_id = api.framework()
    context = {"text": "x" * 60_000}
    ids = [str(api.alert(framework_id, context=context).id) for _ in range(12)]
    headers = {"Idempotency-Key": "once"}
    first = api.post("/alerts/bulk", {"ids": ids, "action": "resolve"}, headers=headers)
    assert [item["ok"] for item in first.json()["items"]] == [True] * 12
    given = [item["alert"] is not None for item in first.json()["items"]]
    assert given == [True] * 8 + [False] * 4
    again = api.post("/alerts/bulk", {"ids": ids, "action": "resolve"}, headers=headers)
    assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
    assert len(api.redis.published) == 12


def test_two_bulks_of_the_same_alerts_do_not_block_each_other(api: Api) -> None:
    framework_id = api.framework()
    ids = [str(api.alert(framework_id).id) for _ in range(50)]
    answers = api.at_once(
        [
            api.request("POST", "/alerts/bulk", json={"ids": order, "action": "acknowledge"})
            for order in (ids, ids[::-1]) * 4
        ]
    )
    outcomes = [[item["ok"] for item in answer.json()["items"]] for answer in answers]
    assert sorted(map(sum, outcomes)) == [0] * 7 + [50]


def test_an_action_belongs_to_its_caller_s_trace(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="convex_common.postgres.alert_actions")
    channel_id = api.webhook()
    alert = api.alert(api.framework(), announced=True, announced_channels=(uuid.UUID(channel_id),))
    trace_id = uuid.uuid4().hex
    headers = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
    for verb in ("acknowledge", "resolve"):
        assert api.post(f"/alerts/{alert.id}/{verb}", headers=headers).status_code == 200
    logged = api.rows("SELECT split_part(traceparent, '-', 2) FROM alert_log WHERE actor IS NOT NULL")
    sent = api.rows("SELECT split_part(traceparent, '-', 2) FROM deliveries")
    assert (logged, sent) == ([(trace_id,)] * 2, [(trace_id,)])
    told = [record.getMessage() for record in caplog.records if record.name.endswith(".alert_actions")]
    assert told == ["alert acknowledged", "alert resolved"]


def test_a_change_is_held_against_the_version_seen(api: Api) -> None:
    framework_id = api.framework()
    for header, status in (('"1"', 200), ("1", 200), ('W/"1"', 200), ("*", 200), ('"2"', 412), ("0", 412),
                           ('"one"', 422), ("", 422)):  # fmt: skip
        alert = api.alert(framework_id)
        answer = api.post(f"/alerts/{alert.id}/acknowledge", headers={"If-Match": header})
        assert answer.status_code == status, (header, answer.text)
        changed = api.get(f"/alerts/{alert.id}").json()["version"] == 2
        assert changed is (status == 200), header


def test_bad_actions_change_nothing(api: Api) -> None:
    alert = api.alert(api.framework())
    path = f"/alerts/{alert.id}"
    for verb, body, field in (
        ("resolve", {"notes": 3}, "notes"),
        ("resolve", {"note": "x"}, "note"),
        ("resolve", {"notes": "a\0"}, "notes"),
        ("resolve", [], ""),
        ("acknowledge", {"notes": "x"}, "notes"),
    ):
        answer = api.post(f"{path}/{verb}", body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), (verb, body)
    assert api.get(path).content == as_wire(alert)


def test_other_workspaces_alerts_are_not_there(api: Api, elsewhere: uuid.UUID) -> None:
    alert = api.alert(api.framework())
    token = token_of(elsewhere, "editor", "editor")
    for method, tail in (("GET", ""), ("GET", "/timeline"), ("POST", "/acknowledge"), ("POST", "/resolve")):
        assert api.call(method, f"/alerts/{alert.id}{tail}", token=token).status_code == 404, tail
    assert api.get("/alerts", token=token).json()["items"] == []
    assert api.get(f"/alerts/{alert.id}").content == as_wire(alert)


def test_the_timeline_merges_log_notifications_and_attempts(api: Api) -> None:
    channel_id = api.webhook()
    alert = api.alert(api.framework(), notified=True)
    ((delivery_id,),) = api.rows("SELECT id FROM deliveries")
    with api.database.transaction(api.workspace_id) as connection:
        connection.execute(
            "INSERT INTO attempts (id, workspace_id, delivery_id, number, outcome, status_code, error, answer, "
            "started_at, duration_ms) VALUES (%s, %s, %s, 1, 'retry', 503, 'busy', 'later', now(), 4.5)",
            (api.ids.new(), api.workspace_id, delivery_id),
        )
    api.post(f"/alerts/{alert.id}/acknowledge", role="responder")
    answer = api.get(f"/alerts/{alert.id}/timeline")
    assert answer.status_code == 200, answer.text
    page = shapes.TimelinePage.model_validate_json(answer.content)
    items = answer.json()["items"]
    assert [item["kind"] for item in items] == ["log", "notification", "attempt", "log"]
    assert page.offset == 2
    told = next(item for item in items if item["kind"] == "notification")
    assert [(one["channel_id"], one["status"]) for one in told["deliveries"]] == [(channel_id, "pending")]
    assert (items[2]["outcome"], items[2]["status_code"], items[2]["number"]) == ("retry", 503, 1)
    assert (items[3]["event"], items[3]["actor"]) == ("acknowledged", "responder")
    walked, cursor = [], ""
    while cursor is not None:
        step = api.get(f"/alerts/{alert.id}/timeline?limit=1{cursor and '&cursor=' + cursor}").json()
        walked += step["items"]
        cursor = step["next_cursor"]
    assert json.dumps(walked) == json.dumps(items)
    assert api.get(f"/alerts/{uuid.uuid4()}/timeline").status_code == 404
    assert api.get(f"/alerts/{alert.id}/timeline?cursor=AAAA").status_code == 422


def test_verdicts_the_last_word_of_each_person_counts(api: Api) -> None:
    alert = api.alert(api.framework())
    path = f"/alerts/{alert.id}"
    first = api.post(f"{path}/verdict", {"verdict": "false_alarm"}, role="responder")
    assert first.status_code == 200, first.text
    assert (first.json()["verdicts"], first.headers["etag"]) == ({"useful": 0, "false_alarm": 1}, '"2"')
    again = api.post(f"{path}/verdict", {"verdict": "false_alarm"}, role="responder")
    assert again.content == first.content, "the same again changes nothing"
    api.post(f"{path}/verdict", {"verdict": "useful"}, role="editor")
    changed = api.post(f"{path}/verdict", {"verdict": "useful"}, role="responder").json()
    assert (changed["verdicts"], changed["version"]) == ({"useful": 2, "false_alarm": 0}, 4)
    assert api.get(path).json() == changed
    listed = api.get(f"{path}/verdicts", role="viewer").json()
    assert [(one["user_id"], one["verdict"]) for one in listed["items"]] == [
        ("editor", "useful"),
        ("responder", "useful"),
    ]
    page = api.get(f"{path}/verdicts?limit=1").json()
    assert [one["user_id"] for one in api.get(f"{path}/verdicts?cursor={page['next_cursor']}").json()["items"]] == [
        "responder"
    ]
    told = [entry for entry in api.get(f"{path}/timeline").json()["items"] if entry["event"] == "judged"]
    assert [(entry["actor"], entry["reason"]) for entry in told] == [
        ("responder", "judged_false_alarm"),
        ("editor", "judged_useful"),
        ("responder", "judged_useful"),
    ]
    assert told[-1]["detail"]["instead_of"] == "false_alarm"
    published = [event.frame for event in api.redis.published if isinstance(event, LiveEvent)]
    assert sum(b'"judged"' in frame for frame in published) == 3, "every browser is told"
    acts = api.rows("SELECT actor, detail->>'verdict' FROM audit_log WHERE action = 'alert.judged' ORDER BY sequence")
    assert acts == [("responder", "false_alarm"), ("editor", "useful"), ("responder", "useful")]


def test_verdicts_are_refused_by_name(api: Api) -> None:
    alert = api.alert(api.framework())
    path = f"/alerts/{alert.id}/verdict"
    assert api.post(path, {"verdict": "bad"}).json()["errors"][0]["field"] == "verdict"
    assert api.post(path, {"verdict": "useful"}, headers={"If-Match": '"9"'}).status_code == 412
    assert api.post(path, {"verdict": "useful"}, role="viewer").status_code == 403
    assert api.post(f"/alerts/{uuid.uuid4()}/verdict", {"verdict": "useful"}).status_code == 404
    assert api.get(f"/alerts/{uuid.uuid4()}/verdicts").status_code == 404


def test_verdicts_go_with_their_alert(api: Api) -> None:
    alert = api.alert(api.framework())
    api.post(f"/alerts/{alert.id}/verdict", {"verdict": "useful"})
    with api.database.transaction(api.workspace_id) as connection:
        connection.execute("DELETE FROM alerts")
    assert api.rows("SELECT count(*) FROM alert_verdicts") == [(0,)]
