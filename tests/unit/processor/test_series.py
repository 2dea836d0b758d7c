"""The series of a batch: which rules decide on an observation, and what is kept."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from convex_common.domain.alert import Reason
from convex_common.domain.fingerprint import fingerprint, observations_key, series_key, shard_of
from convex_common.domain.rule import AlertType, Rule
from convex_common.events import HoldEnd, Observation, decode
from convex_processor.domain.series import Clears, Fires, Series, SeriesBatch
from tests.unit.processor.world import FRAMEWORK, START, WORKSPACE, a_rule, configured

LABELS = {"host": "a"}
KEY = series_key(WORKSPACE, FRAMEWORK, "latency", LABELS)


def a_batch(*rules: Rule, known: dict[bytes, Series] | None = None, now: dt.datetime = START) -> SeriesBatch:
    return SeriesBatch(WORKSPACE, configured(rules).by_metric, now, {} if known is None else known)


def seen(batch: SeriesBatch, *values: float, start: int = 0, every: int = 10) -> list[str]:
    """What each value leads to, in words."""
    return [
        ",".join(
            type(outcome).__name__.lower()
            for outcome in batch.observe(
                Observation(FRAMEWORK, "latency", value, LABELS, START + dt.timedelta(seconds=start + n * every))
            )
        )
        for n, value in enumerate(values)
    ]


def test_state_carries_over_from_batch_to_batch() -> None:
    rule = a_rule(clear_value=80.0)
    known = dict[bytes, Series]()
    assert seen(a_batch(rule, known=known), 120) == ["fires"]
    assert seen(a_batch(rule, known=known), 90, start=10) == [""]
    assert seen(a_batch(rule, known=known), 80, start=20) == ["clears"]
    assert known[KEY].last_value == 80


def test_a_late_observation_decides_nothing() -> None:
    batch = a_batch(a_rule())
    assert seen(batch, 50, start=100) == [""]
    assert seen(batch, 500, start=99) == [""]
    assert batch.known[KEY].last_value == 50
    assert seen(batch, 500, start=100) == ["fires"]


def test_each_rule_of_the_metric_decides_for_itself() -> None:
    other = a_rule(id=uuid.UUID(int=4), threshold_value=200.0)
    elsewhere = a_rule(id=uuid.UUID(int=5), metric="errors")
    learned = a_rule(id=uuid.UUID(int=6), alert_type=AlertType.ANOMALY)
    batch = a_batch(a_rule(), other, elsewhere, learned)
    assert seen(batch, 150, 250, 150, 50) == ["fires", "fires,fires", "fires,clears", "clears"]
    assert set(batch.known[KEY].state.marks) == {str(a_rule().id), str(other.id)}


def test_a_rule_that_is_gone_leaves_no_mark() -> None:
    known = dict[bytes, Series]()
    seen(a_batch(a_rule(), known=known), 150)
    seen(a_batch(known=known), 150, start=10)
    assert known[KEY].state.marks == {}


def test_fires_and_clears_carry_the_fingerprint_of_the_series_labels() -> None:
    rule = a_rule(labels={"team": "shop"})
    batch = a_batch(rule)
    observed = [Observation(FRAMEWORK, "latency", value, LABELS, START) for value in (150.0, 50.0)]
    (fires,), (clears,) = (list(batch.observe(one)) for one in observed)
    expected = fingerprint(WORKSPACE, FRAMEWORK, rule.id, LABELS)
    assert isinstance(fires, Fires)
    assert isinstance(clears, Clears)
    assert fires.fingerprint == clears.fingerprint == expected
    assert clears.reason is Reason.CONDITION_CLEARED
    alert = fires.occurrence.opens(WORKSPACE, uuid.UUID(int=9), fires.fingerprint, START)
    assert alert.labels == {"team": "shop", "host": "a"}
    assert (fires.occurrence.value, fires.occurrence.threshold) == (150.0, 100.0)


def test_a_hold_sets_one_timer_and_fires_by_it() -> None:
    rule = a_rule(for_seconds=60)
    batch = a_batch(rule)
    assert seen(batch, 150, 150) == ["", ""]
    (timer,) = batch.timers
    assert timer.due_at == START + dt.timedelta(seconds=60)
    assert timer.key == observations_key(WORKSPACE, shard_of(KEY))
    end = decode("timer:hold_end", timer.payload)
    assert isinstance(end, HoldEnd)
    (fires,) = a_batch(rule, known=batch.known).hold_end(end, {rule.id: rule})
    assert fires.occurrence.value == 150
    assert list(a_batch(rule, known=batch.known).hold_end(end, {rule.id: rule})) == [], "it fires once"
    assert seen(a_batch(rule, known=batch.known), 150, 50, start=20) == ["fires", "clears"]


@pytest.mark.parametrize(
    ("then", "rules"),
    [
        pytest.param([50.0], [a_rule(for_seconds=60)], id="the condition ended"),
        pytest.param([50.0, 150.0], [a_rule(for_seconds=60)], id="it ended and began anew"),
        pytest.param([], [], id="the rule is gone"),
        pytest.param([], [a_rule(for_seconds=60, enabled=False)], id="the rule is disabled"),
        pytest.param([], [a_rule(for_seconds=60, deleted=True)], id="the rule is deleted"),
        pytest.param([150.0] * 7, [a_rule(for_seconds=60)], id="it fired by the observations' times"),
    ],
)
def test_a_hold_that_ended_does_not_fire(then: list[float], rules: list[Rule]) -> None:
    batch = a_batch(a_rule(for_seconds=60))
    seen(batch, 150)
    end = decode("timer:hold_end", batch.timers[0].payload)
    assert isinstance(end, HoldEnd)
    seen(batch, *then, start=10)
    assert list(batch.hold_end(end, {rule.id: rule for rule in rules})) == []


def test_a_second_hold_moves_the_timer_of_the_first() -> None:
    batch = a_batch(a_rule(for_seconds=60))
    seen(batch, 150, 50, 150)
    first, second = batch.timers
    assert (first.kind, first.subject) == (second.kind, second.subject)
    assert first.payload != second.payload


def test_only_windows_are_remembered() -> None:
    plain, windowed = a_batch(a_rule()), a_batch(a_rule(window_seconds=25))
    seen(plain, 1, 2, 3, 4)
    seen(windowed, 1, 2, 3, 4)
    assert plain.known[KEY].state.recent == []
    assert [value for _, value in windowed.known[KEY].state.recent] == [2, 3, 4]
