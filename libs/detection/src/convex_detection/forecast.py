"""What comes next, within which range, and how probable a breach is; chosen and measured for each series by itself.

outlook = look_ahead(times, values)                      # TooLittle
for point in outlook.points([3600, 4 * 3600], level=0.9): ...
breach = outlook.time_to_threshold(90.0, within=4 * 3600)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from convex_detection.backtest import Choice, chosen, origins_of, outcomes, stops_of
from convex_detection.breach import Breach, breach_of
from convex_detection.candidates import Candidate, Drift, Level, Windows, seasonal
from convex_detection.edges import edges
from convex_detection.grid import Flags, Grid, Numbers, Series, TooLittle, Wholes, regular

LEVEL: Final = 0.9
"""The share of later values that the range is to hold."""

FURTHEST: Final = 2.0
"""Times the span of the series that can be looked ahead."""

_DAY: Final = 86_400.0
_PERIODS: Final = 3.0
"""How many periods have to be known before one is believed in."""


@dataclass(frozen=True, slots=True)
class Point:
    """What is expected `after` seconds from the last value, and the range that holds the stated share of cases."""

    after: float
    expected: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """A series, the candidate that forecast it best so far, and how far it was off from each earlier moment.

    `tested` is the longest horizon in seconds that the series could be tested at; beyond it ranges grow in proportion.
    """

    grid: Grid
    choice: Choice
    origins: Wholes
    furthest: int

    @property
    def at(self) -> float:
        """The time of the last value."""
        return self.grid.end

    @property
    def tested(self) -> float:
        """The longest horizon, in seconds, whose errors could be measured on the series itself."""
        return self.furthest * self.grid.step

    @property
    def model(self) -> str:
        """What forecasts, for people and for the record."""
        return self.choice.candidate.name

    def points(self, after: Sequence[float], level: float = LEVEL) -> list[Point]:
        """For each number of seconds after the last value. TooLittle where the series is too short for one of them."""
        if not 0.0 < level < 1.0:
            raise ValueError(f"level is a share between 0 and 1, not {level}")
        if not len(after):
            return []
        ahead = np.array([self._steps(seconds) for seconds in after])
        expected = self._expected(ahead)
        errors, told = self._errors(ahead)
        made: list[Point] = []
        for column, seconds in enumerate(after):
            off = errors[told[:, column], column]
            low, high = edges(off, level)
            centre = float(expected[column] + np.median(off))
            made.append(Point(seconds, centre, float(expected[column] + low), float(expected[column] + high)))
        return made

    def time_to_threshold(self, threshold: float, *, within: float, above: bool = True) -> Breach:
        """When a value is first at or beyond the threshold, within so many seconds after the last one. TooLittle."""
        if not math.isfinite(threshold):
            raise ValueError(f"the threshold has to be a number, not {threshold}")
        last = self._steps(within)
        ahead = np.arange(1, min(last, self.furthest) + 1)
        if last > self.furthest:
            further = np.linspace(self.furthest, last, 257)[1:]
            ahead = np.concatenate([ahead, np.unique(np.rint(further).astype(np.int64))])
        errors, told = self._errors(ahead)
        paths = self._expected(ahead)[None, :] + errors
        sign = 1.0 if above else -1.0
        now = sign * float(self.grid.values[-1]) >= sign * threshold
        after = ahead.astype(np.float64) * self.grid.step
        return breach_of(sign * paths, told, sign * threshold, after, now=now)

    def _steps(self, seconds: float) -> int:
        if not seconds > 0.0:
            raise ValueError(f"a time ahead is a positive number of seconds, not {seconds}")
        if seconds > FURTHEST * self.grid.span:
            raise TooLittle(
                f"the series spans {self.grid.span:.0f} s, so at most {FURTHEST * self.grid.span:.0f} s can be looked"
                f" ahead, not {seconds:.0f} s"
            )
        return max(1, self.grid.steps(seconds))

    def _expected(self, ahead: Wholes) -> Numbers:
        expected: Numbers = self.choice.look(np.array([len(self.grid) - 1]), ahead)[0]
        return expected

    def _errors(self, ahead: Wholes) -> tuple[Numbers, Flags]:
        """How far off it was from each origin, and whether that is known; untested horizons in proportion."""
        near = np.minimum(ahead, self.furthest)
        truth, told = outcomes(self.grid, self.origins, near)
        errors = (truth - self.choice.look(self.origins, near)) * (ahead / near)[None, :]
        return errors, told


def look_ahead(times: Series, values: Series, *, horizon: float = 0.0) -> Outlook:
    """Choose what forecasts this series, by trying it from earlier moments. TooLittle.

    `times` in seconds, even or uneven; missing values may be left out or be no number. `horizon` is how far people are
    going to ask, in seconds; by default candidates are compared as far ahead as the series allows, at most a day.
    """
    grid = regular(times, values)
    length = len(grid)
    day = grid.steps(_DAY)
    first = max(8, length // 4)
    candidates: list[Candidate] = []
    windows = Windows(grid.values)
    for label, period in (("day", day), ("week", 7 * day)):
        if period >= 4 and length >= _PERIODS * period:
            candidates += seasonal(grid.values, grid.known, period, label)
            first = max(first, period + period // 48)
    long = min(first, max(8, day))
    candidates += [Level(windows, short, long) for short in (1, 3, 12, 48, 144) if short < long]
    candidates += [Drift(windows, window) for window in (8, 32, 128, 512, 2048) if window <= first]
    furthest = max(1, (length - first) // 2)
    compared = min(furthest, max(1, grid.steps(horizon or min(_DAY, furthest * grid.step))))
    origins = origins_of(grid, first)
    if len(origins) < 8:
        raise TooLittle(f"{len(origins)} earlier moments can be tried, 8 are needed: give a longer series")
    return Outlook(grid, chosen(grid, candidates, origins, stops_of(compared)), origins, furthest)
