"""The caller's workspace by REST: its name, and by whose clock it tells days."""

from __future__ import annotations

import datetime as dt

import psycopg
import pytest

from tests.support.rest import Api

pytestmark = pytest.mark.timeout(120)

STATISTICS = "/analytics/statistics?from=2026-03-29&to=2026-03-29"


def test_a_workspace_is_renamed_and_told(api: Api) -> None:
    own = api.get("/workspace", role="viewer").json()
    assert (own["id"], own["timezone"]) == (str(api.workspace_id), "UTC")
    assert dt.datetime.fromisoformat(own["created_at"]) <= dt.datetime.now(dt.UTC)
    changed = api.patch("/workspace", {"name": "Shop & co"}, role="owner")
    assert changed.json() == own | {"name": "Shop & co"}
    assert api.get("/workspace", role="viewer").json() == changed.json()
    assert api.get("/me").json()["workspace"]["name"] == "Shop & co"


def test_its_days_are_those_of_another_timezone_at_once(api: Api) -> None:
    framework = api.framework("shop")
    with psycopg.connect(api.store.owner_url) as owner:
        owner.execute(
            "INSERT INTO alert_quarters (workspace_id, framework_id, at, alerts) VALUES (%s, %s, %s, 3)",
            (api.workspace_id, framework, dt.datetime(2026, 3, 28, 23, 30, tzinfo=dt.UTC)),
        )
    before = api.get(STATISTICS).json()
    assert (before["timezone"], before["total"]["alerts"]) == ("UTC", 0)
    assert api.patch("/workspace", {"timezone": "Europe/Berlin"}, role="owner").status_code == 200
    after = api.get(STATISTICS).json()
    assert (after["timezone"], after["total"]["alerts"]) == ("Europe/Berlin", 3), "no answer of before is served"
    (last,) = api.get("/audit", role="owner", params={"action": "workspace.changed"}).json()["items"]
    assert last["detail"]["changes"] == {"timezone": {"from": "UTC", "to": "Europe/Berlin"}}


def test_what_is_no_change_is_not_told_of(api: Api) -> None:
    own = api.get("/workspace").json()
    for same in ({}, {"timezone": "UTC"}, {"name": own["name"]}):
        assert api.patch("/workspace", same, role="owner").json() == own
    assert api.get("/audit", role="owner", params={"action": "workspace.changed"}).json()["items"] == []


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"timezone": "Berlin"}, "timezone"),
        ({"timezone": None}, "timezone"),
        ({"timezone": "../etc/passwd"}, "timezone"),
        ({"name": ""}, "name"),
        ({"slug": "other"}, "slug"),
    ],
)
def test_what_is_wrong_is_named_and_changes_nothing(api: Api, patch: dict[str, object], field: str) -> None:
    own = api.get("/workspace").json()
    refused = api.patch("/workspace", {"name": "new", **patch}, role="owner")
    assert refused.status_code == 422
    assert field in refused.text
    assert api.get("/workspace").json() == own
