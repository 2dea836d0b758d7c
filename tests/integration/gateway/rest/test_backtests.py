"""Backtests by REST, of rules and of drafts; and the list of what was unusual."""

from __future__ import annotations

import datetime as dt
import math
import uuid
from typing import Any

import psycopg
import pytest

from convex_common.domain.fingerprint import series_key
from tests.support.rest import Api

pytestmark = pytest.mark.timeout(120)

BEGAN = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
DAYS = [20 + 5 * math.sin(n / 144 * 2 * math.pi) + (n * 7919 % 13) / 10 for n in range(3 * 144)]


def observed(api: Api, framework_id: str, values: list[float], step: int, **labels: str) -> None:
    """Observations as the processor stores them."""
    key = series_key(api.workspace_id, uuid.UUID(framework_id), "latency", labels)
    with psycopg.connect(api.store.owner_url) as owner:
        owner.execute(
            "INSERT INTO series_state (workspace_id, series, framework_id, metric, labels, last_value, last_at, state) "
            "VALUES (%s, %s, %s, 'latency', %s, %s, %s, '{}')",
            (
                api.workspace_id,
                key,
                framework_id,
                psycopg.types.json.Json(labels),
                values[-1],
                at(len(values) - 1, step),
            ),
        )
        with (
            owner.cursor() as cursor,
            cursor.copy("COPY observations (workspace_id, series, framework_id, metric, value, at) FROM STDIN") as copy,
        ):
            for n, value in enumerate(values):
                copy.write_row((api.workspace_id, key, framework_id, "latency", value, at(n, step)))


def at(n: int, step: int) -> dt.datetime:
    return BEGAN + dt.timedelta(seconds=n * step)


def a_draft(framework_id: str, **fields: Any) -> dict[str, Any]:
    return {"framework_id": framework_id, "name": "tried", "metric": "latency", **fields}


def test_a_draft_and_a_rule_are_tried_alike(api: Api) -> None:
    framework_id = api.framework()
    observed(api, framework_id, [5, 15, 15, 5, 15], 60, host="a")
    observed(api, framework_id, [5, 5, 5, 15, 5], 60, host="b")
    period = {"from": at(0, 60).isoformat(), "to": at(5, 60).isoformat()}
    limit = {"condition": "above", "threshold_value": 10}
    tried = api.post("/rules/backtest", a_draft(framework_id, **limit, **period), role="viewer").json()
    assert (tried["fired"], tried["more"], len(tried["series"])) == (3, False, 2)
    by_host = {one["labels"]["host"]: one for one in tried["series"]}
    first, second = by_host["a"]["firings"]
    assert (first["began_at"], first["ended_at"]) == ("2026-03-02T00:01:00Z", "2026-03-02T00:03:00Z")
    assert (second["value"], second["ended_at"]) == (15.0, None)
    assert by_host["a"]["band"] == []
    rule = api.rule(framework_id, **limit)
    path = f"/rules/{rule['id']}/backtest"
    assert api.post(path, period, role="viewer").json() == tried
    narrowed = api.post(path, {**period, "labels": {"host": "b"}}, role="viewer").json()
    assert (narrowed["fired"], len(narrowed["series"])) == (1, 1)


def test_an_anomaly_is_tried_with_what_came_before_the_period(api: Api) -> None:
    framework_id = api.framework()
    observed(api, framework_id, [*DAYS, 90.0, *DAYS[1:12]], 600)
    period = {"from": at(len(DAYS) - 20, 600).isoformat(), "to": at(len(DAYS) + 12, 600).isoformat()}
    tried = api.post("/rules/backtest", a_draft(framework_id, alert_type="anomaly", **period), role="viewer").json()
    (series,) = tried["series"]
    (firing,) = series["firings"]
    assert firing["began_at"] == at(len(DAYS), 600).isoformat().replace("+00:00", "Z")
    assert firing["ended_at"] is not None
    assert firing["context"]["why"].startswith("90 is ")
    assert len(series["band"]) == 32
    assert all(point["low"] <= point["expected"] <= point["high"] for point in series["band"])


def test_a_forecast_is_tried(api: Api) -> None:
    framework_id = api.framework()
    observed(api, framework_id, [50 + 0.1 * n + (n * 7919 % 13) / 20 for n in range(360)], 60)
    period = {"from": at(200, 60).isoformat(), "to": at(360, 60).isoformat()}
    fields = {"alert_type": "forecast", "condition": "above", "threshold_value": 90, "horizon_seconds": 7200}
    tried = api.post("/rules/backtest", a_draft(framework_id, **fields, **period), role="viewer").json()
    assert tried["fired"] == 1
    assert "in about" in tried["series"][0]["firings"][0]["context"]["why"]


def test_what_cannot_be_tried_is_refused_by_field(api: Api) -> None:
    framework_id = api.framework()
    draft = a_draft(framework_id, condition="above", threshold_value=10)
    for changed, field in (
        ({"threshold_value": None}, "threshold_value"),
        ({"alert_type": "absence"}, "alert_type"),
        ({"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}, "from"),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-03-01T00:00:00Z"}, "from"),
        ({"to": "1990-01-01T00:00:00Z"}, "to"),
    ):
        answer = api.post("/rules/backtest", draft | changed, role="viewer")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), answer.text
    unknown = str(uuid.uuid4())
    assert api.post("/rules/backtest", draft | {"framework_id": unknown}, role="viewer").status_code == 404
    assert api.post(f"/rules/{unknown}/backtest", {}, role="viewer").status_code == 404
    assert api.post("/rules/backtest", draft, role="viewer").json()["series"] == [], "nothing was observed"


def test_anomalies_are_listed_with_their_evidence(api: Api) -> None:
    framework_id, other = api.framework(), api.framework("other")
    evidence = {"metric": "latency", "value": 90.0, "score": 0.6, "expected": 20.0, "low": 15.0, "high": 25.0,
                "confidence": 0.5, "reason": "never_seen", "why": "90 is 60 away"}  # fmt: skip
    found = api.alert(framework_id, alert_type="anomaly", context=evidence)
    sent = api.alert(other, alert_type="anomaly", context={"score": "high", "low": True})
    api.alert(framework_id)
    listed = api.get("/analytics/anomalies", role="viewer").json()["items"]
    assert [one["alert_id"] for one in listed] == [str(sent.id), str(found.id)]
    assert {name: listed[1][name] for name in evidence} == evidence
    assert (listed[0]["score"], listed[0]["low"], listed[0]["why"]) == (None, None, None)
    page = api.get(f"/analytics/anomalies?framework_id={framework_id}", role="viewer").json()
    assert [one["alert_id"] for one in page["items"]] == [str(found.id)]
