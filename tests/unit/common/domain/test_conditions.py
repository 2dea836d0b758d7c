"""Conditions, as tables: what each observation of a series means for a rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_common.domain.conditions import (
    MAX_RECENT,
    Mark,
    Outcome,
    Sample,
    aggregate,
    compared_value,
    evaluate,
    held,
    remembered,
)
from convex_common.domain.rule import Aggregation, Condition, Rule
from tests.unit.processor.world import a_rule

F, C, P, _ = Outcome.FIRES, Outcome.CLEARS, Outcome.PENDING, Outcome.NOTHING
ABOVE, BELOW, EQUALS, CHANGES = Condition.ABOVE, Condition.BELOW, Condition.EQUALS, Condition.CHANGES_BY


def change(percent: float, **fields: object) -> Rule:
    return a_rule(condition=CHANGES, threshold_value=None, change_percentage=percent, **fields)


def outcomes(rule: Rule, values: list[float], every: float = 1.0) -> list[Outcome]:
    """What each value in turn means, observed `every` seconds."""
    return [outcome for outcome, _ in walked(rule, [(n * every, value) for n, value in enumerate(values)])]


def walked(rule: Rule, samples: list[Sample]) -> list[tuple[Outcome, float | None]]:
    mark, recent, previous, found = Mark(), list[Sample](), None, list[tuple[Outcome, float | None]]()
    for sample in samples:
        recent = remembered(recent, sample, rule.window_seconds or 0)
        evaluation = evaluate(rule, mark, recent, previous)
        mark, previous = evaluation.mark, sample[1]
        found.append((evaluation.outcome, evaluation.compared))
    return found


@pytest.mark.parametrize(
    ("rule", "values", "expected"),
    [
        pytest.param(a_rule(), [100, 100.1, 99], [_, F, C], id="above is strict, and clears at the limit"),
        pytest.param(a_rule(), [101, 100], [F, C], id="the limit itself is no breach"),
        pytest.param(a_rule(), [101, 102, 103], [F, F, F], id="every breaching value is a trigger"),
        pytest.param(a_rule(), [1, 2, 3], [_, _, _], id="what never fired never clears"),
        pytest.param(a_rule(condition=BELOW), [100, 99.9, 100], [_, F, C], id="below is strict"),
        pytest.param(a_rule(condition=EQUALS), [99, 100, 100.5], [_, F, C], id="equals"),
        pytest.param(a_rule(clear_value=80), [101, 90, 81, 80], [F, _, _, C], id="above: clears at its clear value"),
        pytest.param(a_rule(clear_value=80), [90, 81], [_, _], id="the band before a breach is nothing"),
        pytest.param(a_rule(clear_value=80), [101, 90, 101, 79, 90], [F, _, F, C, _], id="the band keeps what was"),
        pytest.param(
            a_rule(condition=BELOW, clear_value=120), [99, 110, 119, 120], [F, _, _, C], id="below: the band is above"
        ),
        pytest.param(
            a_rule(condition=EQUALS, threshold_value=0.0, clear_value=3),
            [0, 2, 5],
            [F, _, C],
            id="equals: clear value above the limit",
        ),
        pytest.param(
            a_rule(condition=EQUALS, threshold_value=0.0, clear_value=-3),
            [0, -2, -5],
            [F, _, C],
            id="equals: clear value below the limit",
        ),
        pytest.param(
            a_rule(condition=EQUALS, threshold_value=0.0, clear_value=3), [0, -1], [F, C], id="equals: the other side"
        ),
        pytest.param(a_rule(threshold_value=None), [1e9], [_], id="without a limit there is nothing to hold against"),
        pytest.param(change(50), [100, 149, 298, 300], [_, _, F, C], id="changes_by: up, against the one before"),
        pytest.param(change(50), [100, 150], [_, F], id="changes_by: the percentage itself counts"),
        pytest.param(change(50), [100, 50, 25], [_, F, F], id="changes_by: down counts alike"),
        pytest.param(change(50), [-100, -150, -150], [_, F, C], id="changes_by: of negative values"),
        pytest.param(change(50), [0, 0, 1, 1], [_, _, F, C], id="changes_by: from zero any change is infinite"),
        pytest.param(change(50, clear_value=10), [100, 200, 250, 260], [_, F, _, C], id="changes_by: clear value"),
        pytest.param(change(50), [100], [_], id="changes_by: a first value has nothing before it"),
    ],
)
def test_outcomes(rule: Rule, values: list[float], expected: list[Outcome]) -> None:
    assert outcomes(rule, values) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([101, 101, 101, 101], [P, P, P, F], id="fires once it has held for long enough"),
        pytest.param([101, 99, 101, 101, 101, 101], [P, _, P, P, P, F], id="an interruption begins anew"),
        pytest.param([101, 101, 101, 101, 99], [P, P, P, F, C], id="clears at once"),
        pytest.param([101, 101, 101, 101, 101], [P, P, P, F, F], id="holds on"),
    ],
)
def test_a_breach_fires_once_it_has_held_by_the_observations_own_times(
    values: list[float], expected: list[Outcome]
) -> None:
    assert outcomes(a_rule(for_seconds=30), values, every=10) == expected


def test_a_hold_in_the_band_begins_anew() -> None:
    assert outcomes(a_rule(for_seconds=20, clear_value=80), [101, 90, 101, 101, 101], every=10) == [P, _, P, P, F]


@pytest.mark.parametrize(
    ("mark", "since", "expected"),
    [
        pytest.param(Mark(pending_since=5.0), 5.0, True, id="still the same hold"),
        pytest.param(Mark(pending_since=6.0), 5.0, False, id="a later hold"),
        pytest.param(Mark(), 5.0, False, id="interrupted"),
        pytest.param(Mark(firing=True), 5.0, False, id="fired already"),
    ],
)
def test_a_hold_stands_when_its_time_is_up(mark: Mark, since: float, *, expected: bool) -> None:
    assert held(a_rule(for_seconds=30), mark, since) is expected


def test_no_hold_stands_for_a_rule_that_needs_none_any_more() -> None:
    assert not held(a_rule(for_seconds=0), Mark(pending_since=5.0), 5.0)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (Aggregation.AVG, 20.0),
        (Aggregation.MIN, 10.0),
        (Aggregation.MAX, 30.0),
        (Aggregation.SUM, 60.0),
        (Aggregation.COUNT, 3.0),
        (Aggregation.LAST, 20.0),
        (None, 20.0),
    ],
)
def test_a_window_becomes_one_value(how: Aggregation | None, expected: float) -> None:
    rule = a_rule(window_seconds=60, aggregation=how)
    assert compared_value(rule, [(-10.0, 999.0), (0.5, 10.0), (30.0, 30.0), (60.0, 20.0)], None) == expected


def test_a_window_is_open_at_its_old_end() -> None:
    rule = a_rule(window_seconds=60, aggregation=Aggregation.COUNT)
    assert compared_value(rule, [(0.0, 1.0), (0.001, 1.0), (60.0, 1.0)], None) == 2.0


def test_aggregation_without_a_window_is_the_value() -> None:
    assert compared_value(a_rule(aggregation=Aggregation.SUM), [(0.0, 5.0)], 4.0) == 5.0


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        pytest.param([(0.0, 100.0)], None, id="alone in its window"),
        pytest.param([(0.0, 100.0), (10.0, 500.0), (20.0, 150.0)], 50.0, id="against the oldest"),
        pytest.param([(0.0, 100.0), (61.0, 500.0)], None, id="what left the window is forgotten"),
        pytest.param([(0.0, 0.0), (1.0, 0.0)], 0.0, id="nothing became nothing"),
        pytest.param([(0.0, 0.0), (1.0, 0.1)], float("inf"), id="from zero"),
    ],
)
def test_a_change_within_a_window(samples: list[Sample], expected: float | None) -> None:
    assert compared_value(change(50, window_seconds=60), samples, 7.0) == expected


def test_windowed_conditions_end_to_end() -> None:
    rule = a_rule(window_seconds=30, aggregation=Aggregation.AVG, clear_value=80)
    found = walked(rule, [(0, 90), (10, 120), (20, 120), (30, 60), (40, 60), (50, 60)])
    assert found == [(_, 90), (F, 105), (F, 110), (_, 100), (C, 80), (_, 60)]


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=50))
def test_aggregates_are_those_of_python(values: list[float]) -> None:
    assert aggregate(Aggregation.MIN, values) == min(values)
    assert aggregate(Aggregation.MAX, values) == max(values)
    assert aggregate(Aggregation.LAST, values) == values[-1]
    assert aggregate(Aggregation.COUNT, values) == len(values)
    assert min(values) - 1e-6 <= aggregate(Aggregation.AVG, values) <= max(values) + 1e-6


@given(st.lists(st.integers(0, 100), max_size=60).map(sorted), st.integers(1, 50))
def test_what_is_remembered_is_the_window_and_no_more(times: list[int], window: int) -> None:
    recent = list[Sample]()
    for at in times:
        recent = remembered(recent, (float(at), 1.0), window)
        assert [when for when, _ in recent] == [float(t) for t in times if at - window < t <= at][: len(recent)]
        assert recent[-1][0] == at


def test_memory_is_bounded() -> None:
    recent = list[Sample]()
    for n in range(MAX_RECENT + 50):
        recent = remembered(recent, (n / 1000, float(n)), 3600)
    assert len(recent) == MAX_RECENT
    assert recent[-1][1] == MAX_RECENT + 49
