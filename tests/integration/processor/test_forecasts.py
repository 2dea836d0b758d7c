"""Forecast rules through the real processor: asked for by observations, looked ahead by timers, handed over."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest

from convex_common import events
from convex_common.domain.fingerprint import observations_key, series_key, shard_of
from convex_processor import past_store
from tests.support.postgres import Store
from tests.support.processing import Bench

BEGAN = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
RISING = [50 + 0.1 * n + (n * 7919 % 13) / 20 for n in range(360)]
"""Six hours, a value a minute: 90 is reached about 40 minutes after the last."""


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench.of(store)


def forecast(bench: Bench, **columns: Any) -> uuid.UUID:
    fields = {"alert_type": "forecast", "threshold_value": 90.0, "horizon_seconds": 7200, "probability": 0.8}
    return bench.rule(**{"name": "full soon", **fields, **columns})


def observe(bench: Bench, values: Sequence[float], first: int = 0, **labels: str) -> None:
    key = series_key(bench.store.workspace_id, bench.framework_id, "latency", labels)
    shard = shard_of(key)
    items = [
        events.Observation(bench.framework_id, "latency", value, labels, BEGAN + dt.timedelta(minutes=n))
        for n, value in enumerate(values, first)
    ]
    bench.accept(events.Observations(items=items), observations_key(bench.store.workspace_id, shard), shard)


def look_ahead(bench: Bench) -> int:
    """Process, let due timers fire, and process those; in how many shards they fired."""
    bench.drain()
    with psycopg.connect(bench.store.url) as service:
        row = service.execute("SELECT cardinality(fire_timers(500))").fetchone()
    bench.drain()
    return int(row[0]) if row else 0


def test_a_breach_ahead_fires_with_its_time_and_ends_where_it_is_expected_no_more(bench: Bench) -> None:
    forecast(bench)
    observe(bench, RISING)
    assert look_ahead(bench) == 1
    alert = bench.alert()
    assert alert["title"].startswith("full soon: latency above 90 in about ")
    assert (alert["status"], alert["threshold_value"]) == ("firing", 90.0)
    assert alert["context"]["probability"] > 0.8
    assert 1200 < alert["context"]["breach_seconds"] < 3600
    assert alert["context"]["why"] in alert["title"]
    observe(bench, [30 + (n % 3) / 10 for n in range(240)], len(RISING))
    look_ahead(bench)
    assert bench.alert()["status"] == "resolved"


def test_a_rule_on_the_breach_itself_takes_over(bench: Bench) -> None:
    forecast(bench)
    bench.rule(name="full", threshold_value=90.0)
    observe(bench, RISING)
    look_ahead(bench)
    observe(bench, [91.0], len(RISING))
    look_ahead(bench)
    rows = bench.rows("SELECT rule_name, status FROM alerts ORDER BY id")
    assert [(row["rule_name"], row["status"]) for row in rows] == [("full soon", "resolved"), ("full", "firing")]
    (handed,) = bench.rows("SELECT reason FROM alert_log WHERE event = 'resolved'")
    assert handed["reason"] == "handed_over"


def test_without_such_a_rule_the_alert_stays_while_it_is_breached(bench: Bench) -> None:
    forecast(bench)
    observe(bench, RISING)
    look_ahead(bench)
    observe(bench, [91.0] * 10, len(RISING))
    look_ahead(bench)
    alert = bench.alert()
    assert (alert["status"], alert["occurrences"]) == ("firing", 2)


def test_only_so_many_looks_ahead_are_taken_in_one_transaction(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_store, "FORECASTS", 1)
    forecast(bench)
    # Of one shard, so that all are claimed together.
    hosts: list[str] = []
    wanted = shard_of(series_key(bench.store.workspace_id, bench.framework_id, "latency", {"host": "0"}))
    for n in range(2000):
        key = series_key(bench.store.workspace_id, bench.framework_id, "latency", {"host": str(n)})
        if shard_of(key) == wanted:
            hosts.append(str(n))
    for host in hosts[:3]:
        observe(bench, RISING, host=host)
    look_ahead(bench)
    assert len(bench.rows("SELECT 1 FROM alerts")) == 1
    assert len(bench.rows("SELECT 1 FROM timers WHERE kind = 'forecast' AND due_at > now() - interval '1 minute'")) == 2


def test_a_series_that_is_too_short_says_nothing(bench: Bench) -> None:
    forecast(bench)
    observe(bench, [50.0, 60.0, 70.0])
    assert look_ahead(bench) == 1
    assert bench.rows("SELECT 1 FROM alerts") == []
