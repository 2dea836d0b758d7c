"""Patterns by REST: listed, previewed, applied by the rule's own path, dismissed."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import psycopg
import pytest

from convex_common.domain.fingerprint import series_key
from convex_common.ids import floor
from tests.support.patterns import store_pattern
from tests.support.rest import Api

pytestmark = pytest.mark.timeout(120)

HOLD = {"for_seconds": {"from": 0, "to": 120}}


@pytest.fixture
def rule(api: Api) -> dict[str, Any]:
    return api.rule(api.framework())


def pattern(api: Api, rule: dict[str, Any], change: Any = HOLD, **more: Any) -> str:
    return store_pattern(api.database, api.workspace_id, rule, change, **more)


def listed(api: Api, query: str = "") -> list[str]:
    return [one["id"] for one in api.get(f"/analytics/patterns{query}", role="viewer").json()["items"]]


def alerts(api: Api, rule: dict[str, Any], minutes: list[int]) -> None:
    """One for each length, a day apart, resolved by themselves."""
    with psycopg.connect(api.store.owner_url) as owner:
        for place, length in enumerate(minutes, start=1):
            began = dt.datetime.now(dt.UTC) - dt.timedelta(days=place)
            alert_id = uuid.UUID(int=floor(int(began.timestamp() * 1000)).int | place)
            owner.execute(
                "INSERT INTO alerts (workspace_id, id, fingerprint, framework_id, rule_id, rule_name, alert_type, "
                "status, severity, title, occurrences, suppression_seconds, triggered_at, last_seen_at, resolved_at, "
                "resolution) VALUES (%s, %s, 'f', %s, %s, 'r', 'threshold', 'resolved', 'error', 't', 1, 300, %s, %s, "
                "%s, 'automatic')",
                (
                    api.workspace_id, alert_id, rule["framework_id"], rule["id"], began, began,
                    began + dt.timedelta(minutes=length),
                ),
            )  # fmt: skip


def observed(api: Api, framework_id: str, metric: str, values: list[float], step: int, **labels: str) -> None:
    """Observations as the processor stores them, the last one now."""
    key = series_key(api.workspace_id, uuid.UUID(framework_id), metric, labels)
    now = dt.datetime.now(dt.UTC)
    with psycopg.connect(api.store.owner_url) as owner:
        owner.execute(
            "INSERT INTO series_state (workspace_id, series, framework_id, metric, labels, last_value, last_at, state) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, '{}')",
            (api.workspace_id, key, framework_id, metric, psycopg.types.json.Json(labels), values[-1], now),
        )
        for n, value in enumerate(reversed(values)):
            owner.execute(
                "INSERT INTO observations (workspace_id, series, framework_id, metric, value, at) "
                "VALUES (%s, %s, %s, %s, %s, %s)",
                (api.workspace_id, key, framework_id, metric, value, now - dt.timedelta(seconds=1 + n * step)),
            )


def test_patterns_are_listed_and_filtered(api: Api, rule: dict[str, Any]) -> None:
    sure = pattern(api, rule)
    unsure = pattern(api, rule, kind="seasonal", confidence=60)
    assert listed(api) == [unsure, sure]
    assert listed(api, "?kind=noisy") == [sure]
    assert listed(api, "?min_confidence=80") == [sure]
    assert listed(api, f"?rule_id={uuid.uuid4()}") == []
    assert listed(api, "?status=applied") == []
    first = api.get("/analytics/patterns?limit=1").json()
    assert [first["items"][0]["id"], *listed(api, f"?cursor={first['next_cursor']}")] == [unsure, sure]
    assert api.get("/analytics/patterns?kind=odd").status_code == 422


def test_the_preview_counts_what_is_on_record(api: Api, rule: dict[str, Any]) -> None:
    alerts(api, rule, [1, 1, 1, 30])
    told = api.get(f"/analytics/patterns/{pattern(api, rule)}/preview", role="viewer").json()
    assert (told["before"]["fired"], told["after"]["fired"]) == (4, 1)
    assert told["change"] == HOLD
    assert (told["basis"], told["why"]) == ("alerts", "no observation of the rule's metric is kept")
    assert {name: told[name] for name in told["on_record"]} == told["on_record"]


def test_the_preview_decides_anew_on_the_observations_that_are_kept(api: Api, rule: dict[str, Any]) -> None:
    alerts(api, rule, [1, 30])
    peaks = [*[10.0] * 5, 150, 10, 10, 150, 10, *[150.0] * 10, 10]
    observed(api, rule["framework_id"], rule["metric"], peaks, 60, host="a")
    told = api.get(f"/analytics/patterns/{pattern(api, rule)}/preview", role="viewer").json()
    assert (told["basis"], told["why"], told["series"], told["more"]) == ("observations", None, 1, False)
    assert (told["before"]["fired"], told["after"]["fired"]) == (3, 1)
    assert (told["on_record"]["before"]["fired"], told["on_record"]["after"]["fired"]) == (2, 1)
    assert told["since"] > told["on_record"]["since"]


def test_applying_changes_the_rule_as_a_person_would(api: Api, rule: dict[str, Any]) -> None:
    version = api.config_version()
    pattern_id = pattern(api, rule)
    path = f"/analytics/patterns/{pattern_id}/apply"
    assert api.post(path, role="responder").status_code == 403
    headers = {"Idempotency-Key": "once"}
    applied = api.post(path, role="editor", headers=headers)
    assert applied.status_code == 200, applied.text
    assert (applied.json()["status"], applied.json()["decided_by"]) == ("applied", "editor")
    assert applied.json()["applied"] == HOLD
    assert api.post(path, role="editor", headers=headers).json() == applied.json(), "the same request, the same answer"
    assert api.post(path, role="editor").status_code == 409, "another one"
    assert api.get(f"/rules/{rule['id']}").json()["for_seconds"] == 120
    assert api.config_version() == version + 1
    acts = api.rows(
        "SELECT actor, action FROM audit_log WHERE action IN ('rule.changed', 'pattern.applied') ORDER BY 2"
    )
    assert acts == [("editor", "pattern.applied"), ("editor", "rule.changed")]
    assert listed(api) == []
    assert listed(api, "?status=applied") == [pattern_id]


def test_a_rule_that_was_changed_meanwhile_is_left_alone(api: Api, rule: dict[str, Any]) -> None:
    pattern_id = pattern(api, rule)
    assert api.patch(f"/rules/{rule['id']}", {"for_seconds": 30}, role="editor").status_code == 200
    refused = api.post(f"/analytics/patterns/{pattern_id}/apply", role="editor")
    assert (refused.status_code, "for_seconds was changed" in refused.text) == (409, True)
    assert api.get(f"/rules/{rule['id']}").json()["for_seconds"] == 30
    assert listed(api) == [pattern_id]


def test_without_a_change_there_is_nothing_to_apply(api: Api, rule: dict[str, Any]) -> None:
    pattern_id = pattern(api, rule, {})
    assert api.post(f"/analytics/patterns/{pattern_id}/apply", role="editor").status_code == 409
    assert api.get(f"/analytics/patterns/{pattern_id}/preview").status_code == 409


def test_what_is_dismissed_stays_so(api: Api, rule: dict[str, Any]) -> None:
    pattern_id = pattern(api, rule)
    path = f"/analytics/patterns/{pattern_id}/dismiss"
    assert api.post(path, role="viewer").status_code == 403
    assert api.post(path, role="responder").json()["status"] == "dismissed"
    assert api.post(path, role="responder").status_code == 409
    assert api.post(f"/analytics/patterns/{pattern_id}/apply", role="editor").status_code == 409
    assert api.rows("SELECT action FROM audit_log WHERE left(action, 8) = 'pattern.'") == [("pattern.dismissed",)]
