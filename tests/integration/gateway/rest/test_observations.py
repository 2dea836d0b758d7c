"""Observations read back: series over spans of time, and the metrics that there are."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

import pytest

from convex_common.domain.conditions import SeriesState
from convex_common.domain.fingerprint import series_key
from convex_common.events import Observation
from convex_common.postgres import observations as rows
from convex_gateway.shapes.observations import MetricPage, ObservedMetric
from convex_processor import series_store
from convex_processor.domain.series import Series
from tests.support.rest import Api, token_of

pytestmark = pytest.mark.timeout(120)
BEGIN = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(hours=2)


def observed(api: Api, framework_id: str, metric: str, values: Sequence[tuple[float, float]], **labels: str) -> None:
    """Store values as the processor does; each with the seconds since BEGIN."""
    framework = uuid.UUID(framework_id)
    items = [
        Observation(framework, metric, value, labels, BEGIN + dt.timedelta(seconds=seconds))
        for seconds, value in values
    ]
    key = series_key(api.workspace_id, framework, metric, labels)
    with api.database.transaction(api.workspace_id) as connection:
        series_store.store(connection, api.workspace_id, items)
        last = Series(key, framework, metric, labels, SeriesState(), items[-1].value, items[-1].at)
        series_store.save(connection, api.workspace_id, [last])


def read(api: Api, framework_id: str, **query: Any) -> ObservedMetric:
    wanted = {"metric": "latency", "from": BEGIN.isoformat(), "to": (BEGIN + dt.timedelta(hours=1)).isoformat()}
    answer = api.call("GET", "/observations", params={"framework_id": framework_id, **wanted, **query}, role="viewer")
    assert answer.status_code == 200, answer.text
    return ObservedMetric.model_validate_json(answer.content)


def test_observations_are_put_together_by_spans_of_time(api: Api) -> None:
    framework_id = api.framework()
    observed(api, framework_id, "latency", [(0, 4.0), (59, 2.0), (60, 7.0), (3599, 5.0), (3600, 99.0)], host="a")
    found = read(api, framework_id, points=60)
    assert (found.step_seconds, found.more, len(found.series)) == (60.0, False, 1)
    (series,) = found.series
    assert (series.labels, series.last_value, series.cut) == ({"host": "a"}, 99.0, False)
    told = [((p.at - BEGIN).total_seconds(), p.min, p.max, p.avg, p.last, p.count) for p in series.points]
    assert told == [(0, 2, 4, 3, 2, 2), (60, 7, 7, 7, 7, 1), (3540, 5, 5, 5, 5, 1)]
    for points in (1, 7, 1000):
        (series,) = read(api, framework_id, points=points).series
        assert len(series.points) <= points
        assert sum(point.count for point in series.points) == 4


def test_series_are_those_with_the_labels_asked_for_the_last_observed_first(api: Api) -> None:
    framework_id = api.framework()
    for place, labels in enumerate(({"host": "a", "zone": "x"}, {"host": "b", "zone": "x"}, {"host": "c=d"})):
        observed(api, framework_id, "latency", [(place, 1.0)], **labels)
    observed(api, framework_id, "errors", [(9, 1.0)], host="a")

    def hosts(**query: Any) -> list[str]:
        return [series.labels["host"] for series in read(api, framework_id, **query).series]

    assert hosts() == ["c=d", "b", "a"]
    assert hosts(label="zone=x") == ["b", "a"]
    assert hosts(label=["zone=x", "host=a"]) == ["a"]
    assert hosts(label="host=c=d") == ["c=d"]
    assert hosts(label="zone=") == []
    assert hosts(limit=2) == ["c=d", "b"]
    assert [read(api, framework_id, limit=n).more for n in (2, 3)] == [True, False]
    later = {"from": (BEGIN + dt.timedelta(minutes=30)).isoformat()}
    assert [series.points for series in read(api, framework_id, **later).series] == [[], [], []]


def test_what_is_read_is_bounded_and_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_READ", 10)
    framework_id = api.framework()
    observed(api, framework_id, "latency", [(n, float(n)) for n in range(11)])
    (series,) = read(api, framework_id, points=1).series
    assert (series.points[0].min, series.points[0].count, series.cut) == (1.0, 10, True)


def test_values_near_the_end_of_floats_have_a_mean(api: Api) -> None:
    framework_id = api.framework()
    observed(api, framework_id, "latency", [(0, 1.7e308), (1, 1.7e308), (2, -1.7e308)])
    (point,) = read(api, framework_id, points=1).series[0].points
    assert (point.min, point.max, point.last, point.count) == (-1.7e308, 1.7e308, -1.7e308, 3)


def test_metrics_are_listed_with_their_labels(api: Api) -> None:
    framework_id, other = api.framework(), api.framework("other")
    for place in range(25):
        observed(api, framework_id, "latency", [(place, 1.0)], host=f"h{place}")
    observed(api, framework_id, "errors", [(3, 1.0)])
    observed(api, other, "orders", [(0, 1.0)])
    first = api.get(f"/observations/metrics?framework_id={framework_id}&limit=1", role="viewer").json()
    rest = api.get(f"/observations/metrics?framework_id={framework_id}&cursor={first['next_cursor']}").json()
    (errors,), (latency,) = (MetricPage.model_validate(page).items for page in (first, rest))
    assert (errors.metric, errors.series, errors.label_sets) == ("errors", 1, [{}])
    assert (latency.metric, latency.series, latency.last_at) == ("latency", 25, BEGIN + dt.timedelta(seconds=24))
    assert latency.label_sets == [{"host": f"h{place}"} for place in range(24, 4, -1)]
    assert rest["next_cursor"] is None


def test_what_cannot_be_read_is_named(api: Api, elsewhere: uuid.UUID) -> None:
    framework_id = api.framework()
    observed(api, framework_id, "latency", [(0, 1.0)])
    for query, field in (
        ({"metric": ""}, "metric"),
        ({"points": 1001}, "points"),
        ({"limit": 21}, "limit"),
        ({"label": "host"}, "label[0]"),
        ({"label": ["a=b", "=b"]}, "label[1]"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-02T00:00:00Z"}, "from"),
        ({"from": "2020-01-02T00:00:00Z", "to": "2026-01-02T00:00:00Z"}, "from"),
        ({"to": "0001-01-01T00:00:00Z"}, "to"),
        ({"from": "0001-01-01T00:00:00+14:00"}, "from"),
        ({"framework_id": "x"}, "framework_id"),
    ):
        asked = {"framework_id": framework_id, "metric": "latency"} | query
        answer = api.call("GET", "/observations", params=asked)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), (query, answer.text)
    token = token_of(elsewhere, "editor", "editor")
    for path in ("/observations", "/observations/metrics"):
        query = {"framework_id": framework_id, "metric": "latency"}
        assert api.call("GET", path, params=query, token=token).status_code == 404, path
