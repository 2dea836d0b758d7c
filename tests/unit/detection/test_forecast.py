"""Forecasts of series whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convex_detection.forecast import look_ahead
from convex_detection.grid import FEWEST, KEEP, TooLittle, regular

STEP = 300.0
DAY = 86_400.0


def test_a_line_goes_on() -> None:
    at = np.arange(400) * STEP
    outlook = look_ahead(at, 3.0 + at / DAY)
    (point,) = outlook.points([DAY])
    assert point.expected == pytest.approx(3.0 + at[-1] / DAY + 1.0, rel=1e-3)
    assert point.low <= point.expected <= point.high


def test_a_rhythm_goes_on_within_its_noise() -> None:
    source = np.random.default_rng(1)
    at = np.arange(10 * 288) * STEP
    outlook = look_ahead(at, 100 + 20 * np.sin(2 * np.pi * at / DAY) + source.normal(0, 1, len(at)))
    for point in outlook.points([3600.0, DAY / 4, DAY]):
        truth = 100 + 20 * math.sin(2 * math.pi * (at[-1] + point.after) / DAY)
        assert abs(point.expected - truth) < 1.5
        assert 2.5 < point.high - point.low < 5.0
    assert "day" in outlook.model


def test_a_constant_stays_one() -> None:
    outlook = look_ahead(np.arange(100) * STEP, np.full(100, 5.0))
    (point,) = outlook.points([3600.0])
    assert (point.low, point.expected, point.high) == (5.0, 5.0, 5.0)


@pytest.mark.parametrize(
    ("times", "values", "says"),
    [
        ([], [], f"{FEWEST} values are needed"),
        (range(10), range(10), "there are 10"),
        ([0.0] * 50, range(50), "one moment"),
        (range(50), [math.nan] * 50, "there are 0"),
    ],
)
def test_too_little_is_said(times: list[float], values: list[float], says: str) -> None:
    with pytest.raises(TooLittle, match=says):
        look_ahead(times, values)


def test_a_horizon_beyond_twice_the_span_is_refused() -> None:
    outlook = look_ahead(np.arange(100.0), np.arange(100.0))
    with pytest.raises(TooLittle, match="at most 198 s"):
        outlook.points([1000.0])


def test_uneven_times_become_even_steps() -> None:
    grid = regular([600, 0, 310, 905, *range(1200, 12_000, 300), 12_001], [3.0, 1.0, 2.0, math.inf, *[4.0] * 36, 6.0])
    assert (grid.step, grid.end, len(grid)) == (300.0, 12_001.0, 41)
    assert list(grid.values[:5]) == [1.0, 2.0, 3.0, 3.5, 4.0]
    assert list(grid.known[:5]) == [True, True, True, False, True]
    assert len(regular(np.arange(3.0 * KEEP), np.zeros(3 * KEEP))) == KEEP


@settings(max_examples=25, deadline=None)
@given(
    values=st.lists(
        st.tuples(st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, 1.0]), st.floats(0, 1e5)),
        min_size=FEWEST - 2,
        max_size=120,
    )
)
def test_whatever_comes_a_forecast_is_a_range_or_too_little(values: list[tuple[float, float]]) -> None:
    try:
        outlook = look_ahead(np.cumsum([apart for _, apart in values]), [value for value, _ in values])
        point, later = outlook.points([outlook.grid.step, outlook.grid.span])
        breach = outlook.time_to_threshold(1.0, within=outlook.grid.span)
    except TooLittle:
        return
    for each in (point, later):
        assert each.low <= each.expected <= each.high
    assert 0.0 <= breach.probability <= 1.0
    assert breach.median is None or breach.early <= breach.median <= breach.late  # type: ignore[operator]
