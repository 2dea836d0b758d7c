"""Silences by REST: made, listed, ended, tried out."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest

from convex_common.domain.alert import Status
from convex_common.domain.severity import Severity
from convex_common.events import SilenceDue, decode
from convex_common.postgres import silences as rows
from tests.support.rest import Api, token_of

pytestmark = pytest.mark.timeout(120)

PAYMENTS = [{"name": "team", "op": "=", "value": "payments"}]


def within(**spans: float) -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(**spans)).isoformat()


def silence(api: Api, **changed: Any) -> dict[str, Any]:
    return api.made("/silences", {"matchers": PAYMENTS, "ends_at": within(hours=1)} | changed, role="responder")


def test_a_silence_is_made_and_looked_at_by_the_processors(api: Api) -> None:
    version = api.config_version()
    made = silence(api, comment="maintenance")
    assert (made["state"], made["created_by"], made["comment"]) == ("active", "responder", "maintenance")
    assert made["active_until"] == made["ends_at"]
    assert made["matchers"] == PAYMENTS
    assert api.get(f"/silences/{made['id']}", role="viewer").json() == made
    assert api.config_version() == version + 1
    ((kind, payload, due),) = api.rows("SELECT kind, payload, due_at <= now() FROM timers")
    assert decode(f"timer:{kind}", bytes(payload)) == SilenceDue(silence_id=uuid.UUID(made["id"]))
    assert due
    (act,) = api.rows("SELECT actor, action, subject FROM audit_log WHERE left(action, 8) = 'silence.'")
    assert act == ("responder", "silence.created", f"silence:{made['id']}")


def test_silences_are_listed_by_state_the_newest_first(api: Api) -> None:
    active = silence(api)["id"]
    pending = silence(api, starts_at=within(minutes=30))["id"]
    ended = silence(api)["id"]
    weekly = silence(api, starts_at=within(days=-1, hours=1), ends_at=within(days=-1, hours=2), rrule="FREQ=DAILY")[
        "id"
    ]
    assert api.delete(f"/silences/{ended}", role="responder").status_code == 204

    def listed(query: str = "") -> list[str]:
        return [item["id"] for item in api.get(f"/silences{query}", role="viewer").json()["items"]]

    assert listed() == [weekly, ended, pending, active]
    assert listed("?state=active") == [active]
    assert listed("?state=pending") == [weekly, pending]
    assert listed("?state=expired") == [ended]
    first = api.get("/silences?state=pending&limit=1").json()
    assert [first["items"][0]["id"], *listed(f"?state=pending&cursor={first['next_cursor']}")] == [weekly, pending]
    assert api.get("/silences?state=over").status_code == 422


def test_a_silence_is_ended_early_and_kept(api: Api) -> None:
    made = silence(api)
    path = f"/silences/{made['id']}"
    api.rows("DELETE FROM timers RETURNING 1")
    assert api.delete(path, role="responder").status_code == 204
    after = api.get(path).json()
    assert (after["state"], after["expired_by"], after["active_until"]) == ("expired", "responder", None)
    assert api.rows("SELECT kind, subject FROM timers") == [("silence", made["id"])]
    assert api.delete(path, role="responder").status_code == 409


def test_what_recurs_tells_its_next_time(api: Api) -> None:
    made = silence(
        api, starts_at="2026-01-05T21:00:00Z", ends_at="2026-01-06T05:00:00Z", rrule="FREQ=WEEKLY;BYDAY=MO",
        timezone="Europe/Berlin",
    )  # fmt: skip
    begins = dt.datetime.fromisoformat(made["next_start"])
    assert begins.weekday() == 0
    assert begins > dt.datetime.now(dt.UTC)


def test_a_silence_is_tried_out(api: Api) -> None:
    framework_id = api.framework()
    now = dt.datetime.now(dt.UTC)
    one = api.alert(framework_id)
    two = api.alert(framework_id, severity=Severity.CRITICAL, triggered_at=now - dt.timedelta(days=3))
    api.alert(framework_id, status=Status.RESOLVED)
    api.alert(framework_id, status=Status.RESOLVED, triggered_at=now - dt.timedelta(days=3))
    api.alert(framework_id, labels={"team": "search"})
    answer = api.post("/silences/preview", {"matchers": PAYMENTS}, role="responder").json()
    assert [item["id"] for item in answer["alerts"]] == [str(two.id), str(one.id)]
    assert (answer["open"], answer["last_day"], answer["cut"]) == (2, 2, False)
    critical = {"matchers": [{"name": "severity", "op": "=~", "value": "crit.*"}]}
    assert api.post("/silences/preview", critical).json()["open"] == 1
    assert api.rows("SELECT 1 FROM silences") == []


def test_what_makes_no_silence_is_named(api: Api) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"matchers": []}, "matchers"),
        ({"matchers": [{"name": "team", "op": "!=", "value": "x"}]}, "matchers"),
        ({"matchers": [{"name": "team", "op": "=~", "value": ".*"}]}, "matchers"),
        ({"matchers": [{"name": "team", "op": "=~", "value": "("}]}, "matchers[0]"),
        ({"ends_at": within(hours=-1)}, "ends_at"),
        ({"starts_at": within(hours=2)}, "ends_at"),
        ({"ends_at": within(days=400)}, "ends_at"),
        ({"starts_at": "0001-01-01T00:00:00Z"}, "starts_at"),
        ({"timezone": "Europe/Berlin"}, "timezone"),
        ({"rrule": "FREQ=DAILY", "timezone": "Mars/Base"}, "timezone"),
        ({"rrule": "FREQ=MINUTELY"}, "rrule"),
        ({"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "rrule"),
        ({"rrule": "FREQ=DAILY;UNTIL=20200101T000000Z"}, "rrule"),
        ({"comment": 3}, "comment"),
        ({"created_by": "me"}, "created_by"),
    ]
    for changed, field in cases:
        body = {"matchers": PAYMENTS, "ends_at": within(hours=1)} | changed
        answer = api.post("/silences", body, role="responder")
        assert answer.status_code == 422, (changed, answer.text)
        assert answer.json()["errors"][0]["field"] == field, (changed, answer.text)
    assert api.rows("SELECT 1 FROM silences") == []


def test_a_workspace_has_so_many_silences(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST", 1)
    made = silence(api)
    body = {"matchers": PAYMENTS, "ends_at": within(hours=1)}
    assert api.post("/silences", body, role="responder").status_code == 409
    api.delete(f"/silences/{made['id']}", role="responder")
    assert api.post("/silences", body, role="responder").status_code == 201


def test_other_workspaces_silences_are_not_there(api: Api, elsewhere: uuid.UUID) -> None:
    made = silence(api)
    token = token_of(elsewhere, "editor", "editor")
    assert api.get(f"/silences/{made['id']}", token=token).status_code == 404
    assert api.delete(f"/silences/{made['id']}", token=token).status_code == 404
    assert api.get("/silences", token=token).json()["items"] == []
