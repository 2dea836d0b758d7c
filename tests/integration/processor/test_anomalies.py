"""Anomaly rules through the real processor: learnt, fired, explained, resolved; kept with the batch alone."""

from __future__ import annotations

import datetime as dt
import math
import uuid
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest

from convex_common import events
from convex_common.domain.fingerprint import observations_key, series_key, shard_of
from convex_common.errors import StoreUnavailable
from convex_common.postgres import alert_store
from convex_common.postgres.database import Connection
from convex_processor import learning_store
from convex_processor.domain.learning import Learnt
from tests.support.postgres import Store
from tests.support.processing import Bench

STEP = 600
BEGAN = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
USUAL = [20 + 5 * math.sin(n / 144 * 2 * math.pi) + (n * 7919 % 13) / 10 for n in range(3 * 144)]
"""Three days with a daily rhythm and a little noise, a value every ten minutes."""

NEW = ("never_seen", "unusual_now")

STATES = "SELECT series, state, tail, learnt_at FROM detector_states ORDER BY series"


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench.of(store)


def anomaly(bench: Bench, **columns: Any) -> uuid.UUID:
    fields = {"alert_type": "anomaly", "condition": "changes_by", "threshold_value": None, "sensitivity": 0.5}
    return bench.rule(**{**fields, **columns})


def observe(bench: Bench, values: Sequence[float], first: int = 0, **labels: str) -> None:
    """Accept values, the n-th of the series' steps first, 500 in an event."""
    key = series_key(bench.store.workspace_id, bench.framework_id, "latency", labels)
    shard = shard_of(key)
    items = [
        events.Observation(bench.framework_id, "latency", value, labels, BEGAN + dt.timedelta(seconds=STEP * n))
        for n, value in enumerate(values, first)
    ]
    for start in range(0, len(items), 500):
        accepted = events.Observations(items=items[start : start + 500])
        bench.accept(accepted, observations_key(bench.store.workspace_id, shard), shard)


def test_what_is_unusual_fires_says_why_and_resolves_once_it_is_usual_again(bench: Bench) -> None:
    rule_id = anomaly(bench)
    bench.channel()
    observe(bench, USUAL)
    bench.drain()
    assert bench.rows("SELECT * FROM alerts") == []
    observe(bench, [90.0, 88.0], len(USUAL))
    bench.drain()
    alert = bench.alert()
    assert (alert["status"], alert["rule_id"], alert["title"]) == ("firing", rule_id, "slow: latency is unusual")
    context = alert["context"]
    assert context["reason"] in NEW
    assert context["why"].startswith("90 is ")
    assert "usual: " in context["why"]
    assert 0.5 <= context["score"] < 1
    assert context["low"] < context["expected"] < context["high"] < 90
    assert 0 < context["confidence"] <= 1
    assert alert["occurrences"] == 2, "what is still outside of the band goes on"
    observe(bench, USUAL[:2], len(USUAL) + 2)
    bench.drain()
    assert bench.alert()["status"] == "firing", "two usual values are no end of it"
    observe(bench, USUAL[2:3], len(USUAL) + 4)
    bench.drain()
    assert bench.alert()["status"] == "resolved"
    assert [row["cause"] for row in bench.rows("SELECT cause FROM notifications ORDER BY id")] == ["fired", "resolved"]


def test_a_new_rule_learns_from_the_observations_that_are_kept(bench: Bench) -> None:
    observe(bench, USUAL)
    bench.drain()
    assert bench.rows(STATES) == [], "nobody asked"
    anomaly(bench)
    observe(bench, [90.0], len(USUAL))
    bench.drain()
    assert bench.alert()["context"]["reason"] in NEW


def test_sides_and_thresholds_narrow_what_is_told(bench: Bench) -> None:
    anomaly(bench, condition="below", name="low")
    anomaly(bench, condition="above", threshold_value=95.0, name="high and beyond 95")
    anomaly(bench, condition="above", name="high")
    observe(bench, [*USUAL, 90.0])
    bench.drain()
    assert [row["title"] for row in bench.rows("SELECT title FROM alerts")] == ["high: latency is unusually high"]


def test_a_batch_that_does_not_commit_teaches_nothing_and_then_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a processor whose connection ends right before the commit leaves behind, and the next try finds."""
    anomaly(bench)
    observe(bench, USUAL)
    bench.drain()
    before = bench.rows(STATES)
    observe(bench, [31.0, 90.0], len(USUAL))
    drainer, save = bench.drainer(), alert_store.save

    def cut(connection: Connection, *rest: Any) -> alert_store.Written:
        save(connection, *rest)
        with psycopg.connect(bench.store.owner_url) as owner:
            owner.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        raise psycopg.OperationalError("the connection ended")

    with monkeypatch.context() as while_cut:
        while_cut.setattr(alert_store, "save", cut)
        with pytest.raises(StoreUnavailable):
            drainer.step()
    assert bench.rows(STATES) == before
    while drainer.step():
        pass
    drainer.close()
    (state,) = bench.rows(STATES)
    once = Learnt.of([(BEGAN.timestamp() + STEP * n, value) for n, value in enumerate([*USUAL, 31.0, 90.0])])
    resumed = Learnt.resumed(bytes(state["state"]), bytes(state["tail"]))
    assert resumed is not None
    assert resumed.pack() == once.pack()
    assert bench.alert()["context"]["reason"] in NEW


def test_the_same_state_whether_values_come_one_by_one_or_in_batches(bench: Bench) -> None:
    anomaly(bench)
    observe(bench, USUAL, host="a")
    bench.drain()
    for n in range(0, 80, 3):
        observe(bench, USUAL[n : n + 3], len(USUAL) + n, host="a")
        bench.drain()
    observe(bench, [*USUAL, *USUAL[:81]], host="b")
    bench.drain()
    packed = []
    for state in bench.rows(STATES):
        learnt = Learnt.resumed(bytes(state["state"]), bytes(state["tail"]))
        assert learnt is not None
        packed.append(learnt.pack())
    assert len(packed) == 2
    assert packed[0] == packed[1]


def test_values_that_a_state_missed_are_learnt_from_the_observations(bench: Bench) -> None:
    rule_id = anomaly(bench)
    observe(bench, USUAL[:200])
    bench.drain()
    with psycopg.connect(bench.store.owner_url) as owner:
        owner.execute("UPDATE rules SET enabled = false WHERE id = %s", (rule_id,))
        owner.execute("UPDATE workspaces SET config_version = config_version + 1")
    observe(bench, USUAL[200:], 200)
    bench.drain()
    with psycopg.connect(bench.store.owner_url) as owner:
        owner.execute("UPDATE rules SET enabled = true WHERE id = %s", (rule_id,))
        owner.execute("UPDATE workspaces SET config_version = config_version + 1")
    observe(bench, [21.0], len(USUAL))
    bench.drain()
    (state,) = bench.rows(STATES)
    learnt = Learnt.resumed(bytes(state["state"]), bytes(state["tail"]))
    assert learnt is not None
    whole = [*USUAL, 21.0]
    once = Learnt.of([(BEGAN.timestamp() + STEP * n, value) for n, value in enumerate(whole)])
    assert learnt.pack() == once.pack()


def test_a_state_that_cannot_be_read_is_learnt_anew(bench: Bench) -> None:
    anomaly(bench)
    observe(bench, USUAL)
    bench.drain()
    with psycopg.connect(bench.store.owner_url) as owner:
        owner.execute("UPDATE detector_states SET state = 'of another version'")
    observe(bench, [90.0], len(USUAL))
    bench.drain()
    assert bench.alert()["context"]["reason"] in NEW


def test_no_more_series_are_learnt_than_a_metric_may_have(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning_store, "MOST_SERIES", 3)
    anomaly(bench)
    for host in "abcde":
        observe(bench, [1.0], host=host)
    bench.drain()
    assert len(bench.rows(STATES)) == 3
    observe(bench, [2.0], 1, host="a")
    observe(bench, [2.0], 1, host="f")
    bench.drain()
    assert len(bench.rows(STATES)) == 3
    assert bench.rows("SELECT count(*) AS n FROM series_state")[0]["n"] == 6, "they are kept and judged by plain rules"
