"""What callers do is on the audit log, no secret with it, and only admins read it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from convex_common.domain.audit import verify
from convex_common.postgres import audit
from convex_common.postgres.bootstrap import ensure_member
from tests.support.postgres import Store
from tests.support.rest import Api, token_of

pytestmark = pytest.mark.timeout(120)

SECRET = "whsec_" + "c2VjcmV0" * 4


def records(api: Api, **query: Any) -> list[dict[str, Any]]:
    """The oldest first."""
    answer = api.get("/audit", role="owner", params={"limit": 200, **query})
    assert answer.status_code == 200, answer.text
    return list(reversed(answer.json()["items"]))


def test_every_change_is_recorded_with_what_it_changed(api: Api) -> None:
    framework_id = api.framework()
    api.patch(f"/frameworks/{framework_id}", {"name": "shop", "description": ""})
    rule_id = api.rule(framework_id)["id"]
    api.patch(f"/rules/{rule_id}", {"threshold_value": 20, "severity": "critical"})
    config = {"url": "https://example.com/hook", "secret": SECRET}
    channel_id = api.made("/channels", {"kind": "webhook", "name": "hook", "config": config})["id"]
    api.patch(f"/channels/{channel_id}", {"config": {"url": "https://example.com/other"}})
    api.patch(f"/channels/{channel_id}", {"config": {"secret": SECRET[:-4] + "AAAA"}, "enabled": False})
    delivery_id = api.post(f"/channels/{channel_id}/test").json()["delivery_id"]
    alert = api.alert(framework_id)
    api.post(f"/alerts/{alert.id}/acknowledge", role="responder")
    api.post(f"/alerts/{alert.id}/resolve", {"notes": "a cable"}, role="responder")
    api.post("/broadcast", {"message": "hello", "framework_id": framework_id})
    api.delete(f"/channels/{channel_id}")
    api.delete(f"/rules/{rule_id}")
    api.delete(f"/frameworks/{framework_id}")

    found = [(r["action"], r["subject"], r["actor"], r["detail"]) for r in records(api)]
    framework, rule, channel = f"framework:{framework_id}", f"rule:{rule_id}", f"channel:{channel_id}"
    assert [(action, subject, actor) for action, subject, actor, _ in found] == [
        ("framework.created", framework, "editor"),
        ("framework.changed", framework, "editor"),
        ("rule.created", rule, "editor"),
        ("rule.changed", rule, "editor"),
        ("channel.created", channel, "editor"),
        ("channel.changed", channel, "editor"),
        ("channel.changed", channel, "editor"),
        ("channel.tested", channel, "editor"),
        ("alert.acknowledged", f"alert:{alert.id}", "responder"),
        ("alert.resolved", f"alert:{alert.id}", "responder"),
        ("broadcast.sent", framework, "editor"),
        ("channel.deleted", channel, "editor"),
        ("rule.deleted", rule, "editor"),
        ("framework.deleted", framework, "editor"),
    ]
    details = [detail for *_, detail in found]
    assert details[1] == {"changes": {"name": {"from": "checkout", "to": "shop"}}}
    assert details[2]["threshold_value"] == 10
    assert details[3] == {
        "changes": {"threshold_value": {"from": 10, "to": 20}, "severity": {"from": "warning", "to": "critical"}}
    }
    assert details[4]["config"] == {"url": "https://example.com/hook"}
    assert details[5]["changes"].keys() == {"config"}, "the secret stayed as it was"
    assert details[6]["changes"] == {"secrets": {"changed": True}, "enabled": {"from": True, "to": False}}
    assert details[7] == {"delivery_id": delivery_id}
    assert details[8] == {"changes": {"status": {"from": "firing", "to": "acknowledged"}}}
    assert details[9]["changes"]["resolution_notes"] == {"from": None, "to": "a cable"}
    assert details[11:] == [{"name": "hook"}, {"name": "slow"}, {"name": "shop"}]
    assert "c2VjcmV0" not in api.get("/audit", role="owner").text
    with api.database.transaction(api.workspace_id) as connection:
        chain, head = list(audit.chain(connection, api.workspace_id)), audit.head(connection, api.workspace_id)
    assert verify(api.workspace_id, chain, head).broken is None


def test_what_was_refused_is_not_recorded(api: Api) -> None:
    framework_id = api.framework()
    alert = api.alert(framework_id)
    before = records(api)
    nowhere = str(uuid.uuid4())
    for method, path, body in (
        ("POST", "/frameworks", {"name": "checkout"}),
        ("PATCH", f"/frameworks/{nowhere}", {"name": "x"}),
        ("DELETE", f"/frameworks/{nowhere}", None),
        ("POST", "/rules", {"framework_id": nowhere, "name": "x", "metric": "m", "threshold_value": 1}),
        ("DELETE", f"/rules/{nowhere}", None),
        ("DELETE", f"/channels/{nowhere}", None),
        ("POST", f"/channels/{nowhere}/test", None),
        ("POST", f"/alerts/{nowhere}/resolve", None),
        ("POST", "/broadcast", {"message": "x", "framework_id": nowhere}),
    ):
        more: dict[str, Any] = {} if body is None else {"json": body}
        answer = api.call(method, path, **more)
        assert answer.status_code in (404, 409, 422), (method, path, answer.text)
    stale = api.post(f"/alerts/{alert.id}/acknowledge", headers={"If-Match": '"9"'})
    assert stale.status_code == 412
    assert records(api) == before


def test_a_repeated_request_is_recorded_once(api: Api) -> None:
    for _ in range(2):
        answer = api.post("/frameworks", {"name": "x"}, headers={"Idempotency-Key": "once"})
        assert answer.status_code == 201
    assert [r["action"] for r in records(api)] == ["framework.created"]


def test_a_record_names_its_request_s_trace(api: Api) -> None:
    trace_id = uuid.uuid4().hex
    headers = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
    framework_id = api.framework(headers=headers)
    alert = api.alert(framework_id)
    api.post(f"/alerts/{alert.id}/acknowledge", headers=headers)
    assert [r["trace_id"] for r in records(api)] == [trace_id] * 2


def test_pages_and_filters(api: Api, store: Store) -> None:
    ensure_member(store.owner_url, api.workspace_id, "second", "editor")
    ids = [api.framework(f"f{n}") for n in range(5)]
    second = token_of(api.workspace_id, "second", "editor")
    api.patch(f"/frameworks/{ids[2]}", {"name": "g"}, token=second)
    everything = list(reversed(records(api)))
    assert [r["sequence"] for r in everything] == list(range(6, 0, -1))

    pages, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = api.get("/audit", role="owner", params=query).json()
        pages.append(page["items"])
        if (cursor := page["next_cursor"]) is None:
            break
    assert [len(page) for page in pages] == [2, 2, 2]
    assert [r for page in pages for r in page] == everything

    assert len(records(api, actor="second")) == 1
    assert len(records(api, action="framework.created")) == 5
    assert len(records(api, subject=f"framework:{ids[2]}")) == 2
    assert records(api, actor="second", action="framework.created") == []
    middle = everything[3]["at"]
    assert len(records(api, since=middle)) == 4
    assert len(records(api, until=middle)) == 2
    for wrong in ({"cursor": "AAAA"}, {"since": "yesterday"}, {"actor": "a\0b"}, {"limit": 0}):
        assert api.get("/audit", role="owner", params=wrong).status_code == 422, wrong


def test_it_is_each_workspaces_own(api: Api, store: Store, elsewhere: uuid.UUID) -> None:
    api.framework()
    api.framework(token=token_of(elsewhere, "editor", "editor"))
    ensure_member(store.owner_url, elsewhere, "other-admin", "admin")
    token = token_of(elsewhere, "other-admin", "admin")
    theirs = api.get("/audit", token=token).json()["items"]
    assert [r["sequence"] for r in theirs] == [1]
    assert theirs[0]["subject"] != records(api)[0]["subject"]
