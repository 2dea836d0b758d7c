"""Snoozing and assigning by REST: what changes, who hears of it, and what is refused by name."""

from __future__ import annotations

import datetime as dt
import uuid

import msgspec
import pytest

from convex_common.domain.alert import Status, as_wire
from convex_common.feed import LiveEvent, LiveNotification
from tests.support.rest import Api, token_of

pytestmark = pytest.mark.timeout(120)


def later(**ahead: float) -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(**(ahead or {"hours": 1}))).isoformat()


def timers(api: Api) -> list[tuple[str, dt.datetime]]:
    return [(kind, due) for kind, due in api.rows("SELECT kind, due_at FROM timers WHERE kind = 'snooze_end'")]


def test_a_snooze_is_shown_told_live_and_timed(api: Api) -> None:
    alert = api.alert(api.framework())
    path = f"/alerts/{alert.id}"
    until = later()
    answer = api.post(f"{path}/snooze", {"until": until}, role="responder")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["status"], body["snoozed_by"], body["version"]) == ("firing", "responder", 2)
    assert dt.datetime.fromisoformat(body["snoozed_until"]) == dt.datetime.fromisoformat(until)
    assert (answer.headers["etag"], answer.content) == ('"2"', api.get(path).content)
    assert timers(api) == [("snooze_end", dt.datetime.fromisoformat(until))]
    (event,) = (one for one in api.redis.published if isinstance(one, LiveEvent))
    frame = msgspec.json.decode(event.frame)
    assert (frame["event"], frame["data"]) == ("snoozed", body)
    moved = later(hours=2)
    api.post(f"{path}/snooze", {"until": moved}, role="editor")
    assert timers(api) == [("snooze_end", dt.datetime.fromisoformat(moved))]
    ended = api.post(f"{path}/snooze", {"until": None}, role="responder").json()
    assert (ended["snoozed_by"], ended["snoozed_until"], ended["version"]) == (None, None, 4)
    ((_, due),) = timers(api)
    assert due <= dt.datetime.now(dt.UTC), "the processor sees at once who is to be told"
    assert api.post(f"{path}/snooze", {"until": None}).status_code == 409
    said = [entry for entry in api.get(f"{path}/timeline").json()["items"] if entry.get("event") == "snoozed"]
    assert [(entry["actor"], entry["reason"]) for entry in said] == [
        ("responder", "snoozed_by_person"),
        ("editor", "snoozed_by_person"),
        ("responder", "unsnoozed_by_person"),
    ]
    acts = api.rows("SELECT actor, detail->'changes'->'snoozed_until'->>'to' FROM audit_log "
                    "WHERE action = 'alert.snoozed' ORDER BY sequence")  # fmt: skip
    assert [(actor, None if to is None else dt.datetime.fromisoformat(to)) for actor, to in acts] == [
        ("responder", dt.datetime.fromisoformat(until)),
        ("editor", dt.datetime.fromisoformat(moved)),
        ("responder", None),
    ]


def test_bad_snoozes_are_refused_by_name_and_change_nothing(api: Api, elsewhere: uuid.UUID) -> None:
    framework_id = api.framework()
    alert = api.alert(framework_id)
    path = f"/alerts/{alert.id}/snooze"
    for body in ({}, {"until": later(seconds=-1)}, {"until": later(days=31)}, {"until": "2099-01-01T00:00:00"},
                 {"until": "tomorrow"}, {"until": 1_900_000_000}):  # fmt: skip
        for target, asked in (
            (path, body),
            ("/alerts/bulk", {"ids": [str(alert.id)], "action": "snooze", **body}),
        ):
            answer = api.post(target, asked)
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "until"), (target, body)
    good = {"until": later()}
    assert api.post(path, good, role="viewer").status_code == 403
    assert api.post(path, good, token=token_of(elsewhere, "editor", "editor")).status_code == 404
    assert api.post(path, good, headers={"If-Match": '"9"'}).status_code == 412
    over = api.alert(framework_id, status=Status.RESOLVED)
    assert api.post(f"/alerts/{over.id}/snooze", good).status_code == 409
    assert (api.get(f"/alerts/{alert.id}").content, timers(api)) == (as_wire(alert), [])


def test_of_two_people_who_saw_the_same_version_one_snoozes(api: Api) -> None:
    alert = api.alert(api.framework())
    bodies = [{"until": later(hours=hours)} for hours in (1, 2)]
    answers = api.at_once(
        [api.request("POST", f"/alerts/{alert.id}/snooze", json=body, headers={"If-Match": '"1"'}) for body in bodies]
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]


def test_acknowledging_and_resolving_end_a_snooze(api: Api) -> None:
    framework_id = api.framework()
    for verb, left in (("acknowledge", 1), ("resolve", 0)):
        alert = api.alert(framework_id)
        api.post(f"/alerts/{alert.id}/snooze", {"until": later()})
        after = api.post(f"/alerts/{alert.id}/{verb}", {}).json()
        assert (after["snoozed_by"], after["snoozed_until"]) == (None, None), verb
        due = [due for _, due in timers(api)]
        assert len(due) == left
        assert all(at <= dt.datetime.now(dt.UTC) for at in due), verb
        with api.database.transaction(api.workspace_id) as connection:
            connection.execute("DELETE FROM timers")


def test_an_assignee_finds_it_in_the_inbox(api: Api) -> None:
    alert = api.alert(api.framework())
    path = f"/alerts/{alert.id}"
    given = api.post(f"{path}/assign", {"user_id": "editor"}, role="responder")
    assert given.status_code == 200, given.text
    assert (given.json()["assigned_to"], given.json()["version"]) == ("editor", 2)
    assert api.post(f"{path}/assign", {"user_id": "editor"}, role="responder").content == given.content
    (inbox,) = api.get("/notifications", role="editor").json()["items"]
    assert (inbox["cause"], inbox["alert_id"], inbox["data"]) == ("assigned", str(alert.id), given.json())
    assert api.get("/notifications", role="responder").json()["items"] == []
    (live,) = (one for one in api.redis.published if isinstance(one, LiveNotification))
    assert live.user_ids == ("editor",)
    assert msgspec.json.decode(live.frame)["data"]["notification_id"] == inbox["notification_id"]
    assert [item["id"] for item in api.get("/alerts?assigned_to=editor").json()["items"]] == [str(alert.id)]
    assert api.get("/alerts?assigned_to=responder").json()["items"] == []
    api.post(f"{path}/assign", {"user_id": "responder"}, role="responder")
    assert api.get("/notifications", role="responder").json()["items"] == [], "who takes it knows"
    nobodys = api.post(f"{path}/assign", {"user_id": None}, role="responder").json()
    assert (nobodys["assigned_to"], nobodys["version"]) == (None, 4)
    said = [entry for entry in api.get(f"{path}/timeline").json()["items"] if entry.get("event") == "assigned"]
    told = [(one["reason"], one["detail"].get("assigned_to"), one["detail"].get("instead_of")) for one in said]
    assert told == [
        ("assigned_by_person", "editor", None),
        ("assigned_by_person", "responder", "editor"),
        ("unassigned_by_person", None, "responder"),
    ]


def test_bad_assignments_are_refused_by_name(api: Api, elsewhere: uuid.UUID) -> None:
    framework_id = api.framework()
    alert = api.alert(framework_id)
    path = f"/alerts/{alert.id}/assign"
    for body in ({}, {"user_id": "nobody"}, {"user_id": ""}, {"user_id": 3}):
        answer = api.post(path, body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "user_id"), body
    assert api.post(path, {"user_id": "editor"}, role="viewer").status_code == 403
    assert api.post(path, {"user_id": "editor"}, token=token_of(elsewhere, "editor", "editor")).status_code == 404
    assert api.post(path, {"user_id": "editor"}, headers={"If-Match": '"9"'}).status_code == 412
    over = api.alert(framework_id, status=Status.RESOLVED)
    assert api.post(f"/alerts/{over.id}/assign", {"user_id": "editor"}).status_code == 409
    assert api.get(f"/alerts/{alert.id}").content == as_wire(alert)
    assert api.rows("SELECT count(*) FROM user_notifications") == [(0,)]


def test_many_are_snoozed_and_assigned_at_once(api: Api) -> None:
    framework_id = api.framework()
    alerts = [api.alert(framework_id) for _ in range(2)]
    over = api.alert(framework_id, status=Status.RESOLVED)
    ids = [str(alert.id) for alert in (*alerts, over)]
    for action, fields in (("snooze", {"until": later()}), ("assign", {"user_id": "editor"})):
        outcomes = api.post("/alerts/bulk", {"ids": ids, "action": action, **fields}, role="responder").json()["items"]
        assert [one["ok"] for one in outcomes] == [True, True, False], action
        assert outcomes[2]["problem"]["status"] == 409
        assert all(one["alert"] == api.get(f"/alerts/{one['id']}").json() for one in outcomes[:2])
    assert len(timers(api)) == 2
    assert len(api.get("/notifications", role="editor").json()["items"]) == 2
    stranger = api.post("/alerts/bulk", {"ids": ids[:1], "action": "assign", "user_id": "nobody"}).json()["items"]
    assert stranger[0]["problem"]["errors"][0]["field"] == "user_id"
    for body, field in (
        ({"action": "assign"}, "user_id"),
        ({"action": "snooze"}, "until"),
        ({"action": "assign", "user_id": "editor", "until": later()}, "until"),
        ({"action": "acknowledge", "user_id": "editor"}, "user_id"),
    ):
        answer = api.post("/alerts/bulk", {"ids": ids, **body})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), body
