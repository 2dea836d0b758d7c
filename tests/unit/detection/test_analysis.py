"""Trends, changes and rhythms: planted ones are found, and others are not, whatever the memory of the noise."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.random import Generator, default_rng

from convex_detection.changes import changes_of
from convex_detection.grid import Numbers, TooLittle
from convex_detection.seasons import DAY, HOUR, WEEK, season_of, seasons_of, without
from convex_detection.trend import trend_of

LENGTH = 400
TIMES = 1_700_000_000 + HOUR * np.arange(LENGTH)
SEEDS = 40


def remembering(source: Generator, memory: float, *, length: int = LENGTH, count: int = 1) -> Numbers:
    """Noise of deviation one, one series a row, each value with so much of the one before."""
    news = source.normal(0, np.sqrt(1 - memory**2), (count, length))
    news[:, 0] = source.normal(0, 1, count)
    for at in range(1, length):
        news[:, at] += memory * news[:, at - 1]
    return news


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
def test_noise_has_nothing_whatever_its_memory(memory: float) -> None:
    noise = remembering(default_rng(7), memory, count=SEEDS)
    trends = sum(trend_of(TIMES, row).p < 0.05 for row in noise)
    rhythms = sum(season_of(TIMES, row, DAY, rounds=99).p < 0.05 for row in noise)
    changes = sum(bool(changes_of(TIMES, row)) for row in noise)
    # 5 % of 40 are 2, and 7 or more come up once in two hundred times; of changes there is 1 %
    assert trends <= 6
    assert rhythms <= 6
    assert changes <= 3


@pytest.mark.parametrize("memory", [0.0, 0.5])
@pytest.mark.parametrize("direction", [1, -1])
def test_a_trend_is_found_with_its_slope(memory: float, direction: int) -> None:
    noise = remembering(default_rng(1), memory, count=20)
    slope = direction * 3.0 / LENGTH / HOUR
    noise[:, 50:53] += 40
    found = [trend_of(TIMES, row + slope * (TIMES - TIMES[0])) for row in noise]
    assert all(each.p < 0.01 and np.sign(each.tau) == direction for each in found)
    assert sum(each.low <= slope <= each.high for each in found) >= 17


def test_a_rhythm_is_no_trend_and_a_trend_no_rhythm() -> None:
    noise = remembering(default_rng(2), 0.3)[0]
    assert trend_of(TIMES, without(TIMES, rhythm() + noise, seasons_of(TIMES, rhythm() + noise))).p > 0.05
    assert season_of(TIMES, noise + 0.05 * np.arange(LENGTH), DAY).p > 0.05


@pytest.mark.parametrize("memory", [0.0, 0.5])
def test_changes_are_found_where_they_are(memory: float) -> None:
    """Up for a while and back, then down for good."""
    right = 0
    for noise in remembering(default_rng(3), memory, count=20):
        values = 10 + noise
        values[100:200] += 6
        values[300:] -= 5
        values[40] = 1e6
        found = changes_of(TIMES, values)
        places = [round((each.at - TIMES[0]) / HOUR) for each in found]
        right += len(places) == 3 and all(abs(a - b) <= 5 for a, b in zip(places, (100, 200, 300), strict=True))
        if len(found) == 3:
            assert [round(each.after - each.before) for each in found] == pytest.approx([6, -6, -5], abs=1)
            assert all(each.size > 2 and each.p < 0.01 for each in found)
    assert right >= 18


def test_a_change_below_a_rhythm_is_found_once_the_rhythm_is_taken_away() -> None:
    values = rhythm() + remembering(default_rng(4), 0.2)[0]
    values[200:] += 3
    rest = without(TIMES, values, seasons_of(TIMES, values))
    (found,) = changes_of(TIMES, rest)
    assert abs((found.at - TIMES[0]) / HOUR - 200) <= 5


def test_day_and_week_are_told_apart() -> None:
    times = 1_700_000_000 + HOUR * np.arange(8 * 168)
    noise = remembering(default_rng(5), 0.5, length=len(times))[0]
    day, week = seasons_of(times, 3 * np.sin(2 * np.pi * times / DAY) + noise)
    assert (day.period, day.p < 0.01, week.period, week.p > 0.05) == (DAY, True, WEEK, True)
    assert day.strength > 0.6
    peak = day.shape.index(max(day.shape)) / len(day.shape)
    assert peak == pytest.approx(0.25, abs=0.1)
    day, week = seasons_of(times, 3.0 * (times // DAY % 7 >= 5) + noise)
    assert (day.p > 0.05, week.p < 0.01, week.periods >= 7) == (True, True, True)


def test_holes_and_outliers_hide_no_rhythm() -> None:
    source = default_rng(6)
    values = rhythm() + source.normal(0, 2, LENGTH)
    values[source.integers(0, LENGTH, 8)] = 500
    kept = source.random(LENGTH) > 0.3
    assert season_of(TIMES[kept], values[kept], DAY).p < 0.01


@pytest.mark.parametrize("values", [np.zeros(LENGTH), np.eye(1, LENGTH, 77)[0]], ids=["constant", "one event"])
def test_next_to_nothing_is_nothing(values: Numbers) -> None:
    assert trend_of(TIMES, values).p > 0.05
    assert changes_of(TIMES, values) == []
    assert season_of(TIMES, values, DAY).p > 0.05


def test_too_little_is_said() -> None:
    with pytest.raises(TooLittle, match="24 values"):
        trend_of(TIMES[:10], np.zeros(10))
    with pytest.raises(TooLittle, match="3 periods of 604800 s"):
        season_of(TIMES[:300], np.arange(300.0), WEEK)
    with pytest.raises(TooLittle, match="needs four values"):
        season_of(TIMES, np.arange(float(LENGTH)), HOUR)


def rhythm() -> Numbers:
    """One period a day."""
    found: Numbers = 3 * np.sin(2 * np.pi * TIMES / DAY)
    return found
