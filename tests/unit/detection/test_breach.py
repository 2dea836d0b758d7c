"""When a threshold is reached, beside a truth that is known because it was planted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.random import Generator, default_rng

from convex_detection.breach import Breach, breach_of
from convex_detection.forecast import look_ahead
from convex_detection.grid import Numbers

STEP = 300.0
DAY = 86_400.0
LENGTH = 4 * 288

Shape = Callable[[Numbers, Generator], Numbers]


def filling(at: Numbers, source: Generator) -> Numbers:
    """A disk that fills by twelve a day, not evenly."""
    grown: Numbers = np.cumsum(source.gamma(0.5, 2 * 12 / 288, len(at)))
    return grown


def leaking(at: Numbers, source: Generator) -> Numbers:
    """Memory that leaks by eight a day below a daily rhythm and noise."""
    leaked: Numbers = 8 * at / DAY + 3 * np.sin(2 * np.pi * at / DAY) + source.normal(0, 0.5, len(at))
    return leaked


def draining(at: Numbers, source: Generator) -> Numbers:
    """What is left of a budget."""
    return 100 - filling(at, source)


def outcome(shape: Shape, seed: int, *, above: bool = True) -> tuple[bool, bool]:
    """Whether the breach was foretold as sure, and whether it came between early and late.

    The threshold is six beyond the last day's utmost.
    """
    at = STEP * np.arange(2 * LENGTH, dtype=np.float64)
    sign = 1 if above else -1
    values = sign * shape(at, default_rng(seed))
    threshold = float(values[LENGTH - 288 : LENGTH].max()) + 6
    came = (int(np.argmax(values[LENGTH:] >= threshold)) + 1) * STEP
    outlook = look_ahead(at[:LENGTH], sign * values[:LENGTH])
    breach = outlook.time_to_threshold(sign * threshold, within=2 * DAY, above=above)
    assert breach.early is not None
    assert breach.late is not None
    return breach.probability > 0.9, breach.early - STEP <= came <= breach.late + STEP


@pytest.mark.parametrize(("shape", "above"), [(filling, True), (leaking, True), (draining, False)])
def test_what_steadily_comes_nearer_is_foretold_with_its_time(shape: Shape, above: bool) -> None:
    found = [outcome(shape, seed, above=above) for seed in range(12)]
    assert sum(sure for sure, _ in found) >= 11
    assert sum(within for _, within in found) >= 7  # eight in ten are meant to be; 6 of 12 come up in one of fifty


def sawtooth(at: Numbers, source: Generator) -> Numbers:
    """Logs that grow and are cleared at 40, every five hours or so."""
    level, made = 0.0, []
    for growth in source.gamma(4, 40 / 60 / 4, len(at)):
        level = 0.0 if level > 40 else level + growth
        made.append(level)
    return np.array(made)


def counter(at: Numbers, source: Generator) -> Numbers:
    """A counter that is reset once a day."""
    return np.concatenate([np.cumsum(part) for part in np.split(source.poisson(7, len(at)).astype(float), 8)])


@pytest.mark.parametrize(
    ("shape", "threshold", "most"),
    [
        (sawtooth, 60.0, 0.3),  # errors from where it was low are counted where it is high, too
        (counter, 3000.0, 0.1),
        (lambda at, source: source.normal(50, 2, len(at)), 65.0, 0.1),
        (lambda at, _: np.full(len(at), 5.0), 6.0, 0.1),
        (lambda at, source: 20 * np.sin(2 * np.pi * at / DAY) + source.normal(0, 1, len(at)), 30.0, 0.1),
    ],
    ids=["cleared in time", "a counter that is reset", "noise", "a constant", "a rhythm below"],
)
def test_what_never_comes_is_not_foretold(shape: Shape, threshold: float, most: float) -> None:
    at = STEP * np.arange(2 * LENGTH, dtype=np.float64)
    for seed in range(3):
        values = shape(at, default_rng(seed))
        assert values.max() < threshold
        for cut in (LENGTH, LENGTH + 25, LENGTH + 50):
            outlook = look_ahead(at[:cut], values[:cut])
            assert outlook.time_to_threshold(threshold, within=DAY / 2).probability < most


def test_a_rhythm_reaches_its_height_at_its_hour() -> None:
    at = np.arange(LENGTH) * STEP  # ends at midnight; 19 is first reached before six
    values = 20 * np.sin(2 * np.pi * at / DAY) + default_rng(1).normal(0, 0.3, LENGTH)
    breach = look_ahead(at, values).time_to_threshold(19.0, within=DAY)
    assert breach.probability > 0.95
    assert breach.median == pytest.approx(DAY * np.arcsin(19 / 20) / (2 * np.pi), abs=1800)


def test_chances_of_noise_are_what_they_are() -> None:
    """Of 24 values to come, each beyond 2.5 deviations once in 161 times, one is in 14 % of cases."""
    at = np.arange(LENGTH) * STEP
    chances = [
        look_ahead(at, default_rng(seed).normal(0, 1, LENGTH)).time_to_threshold(2.5, within=24 * STEP).probability
        for seed in range(10)
    ]
    assert np.mean(chances) == pytest.approx(0.14, abs=0.05)


def test_what_is_there_already_needs_no_time() -> None:
    at = np.arange(100) * STEP
    outlook = look_ahead(at, at)
    assert outlook.time_to_threshold(at[-1], within=DAY / 4).median == 0.0
    assert outlook.time_to_threshold(at[-1] + 1, within=DAY / 4).median == STEP
    with pytest.raises(ValueError, match="has to be a number"):
        outlook.time_to_threshold(float("nan"), within=STEP)


def test_paths_that_end_early_count_for_as_long_as_they_are_known() -> None:
    paths = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    told = np.array([[True, True, True], [True, True, True], [True, True, True], [True, False, False]])
    breach = breach_of(paths, told, 1.0, np.array([10.0, 20.0, 30.0]))
    assert breach.probability == pytest.approx((4 * (2 / 3) + 0.5) / 5)  # a third by 20, of the rest a half by 30
    assert (breach.early, breach.median, breach.late) == (20.0, 20.0, 30.0)


@pytest.mark.parametrize(
    ("breach", "words"),
    [
        (Breach(0.92, 2400.0, 1800.0, 3300.0), "breach in about 40 min (30 to 55), 92 % chance"),
        (Breach(0.995, 3 * DAY, 2 * DAY, 4 * DAY), "breach in about 3 days (2 to 4), more than 99 % chance"),
        (Breach(0.3, 20.0, 10.0, 30.0), "breach in about 20 s (10 to 30), 30 % chance"),
        (Breach(0.003, None, None, None), "no breach is expected (less than 1 % chance)"),
        (Breach(1.0, 0.0, 0.0, 0.0), "breached now"),
    ],
)
def test_a_breach_is_said_in_words(breach: Breach, words: str) -> None:
    assert breach.words() == words
