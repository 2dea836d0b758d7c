"""Ways to look ahead. Each is a foundation and a pull: how much of the pull counts is measured, not assumed.

All of them answer for many origins at once, and for each origin they know only the steps up to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from convex_detection.grid import Flags, Numbers, Wholes


class Candidate(Protocol):
    """A forecast is `foundation + weight * pull`, with a weight between 0 and 1 for each horizon."""

    @property
    def name(self) -> str:
        """For people, and for the record."""

    def look(self, origins: Wholes, ahead: Wholes) -> tuple[Numbers, Numbers]:
        """Foundation and pull, one row for each origin and one column for each number of steps ahead."""


class Windows:
    """Medians of the values up to each origin; those of the origins asked last are remembered, window by window."""

    __slots__ = ("_known", "_origins", "values")

    def __init__(self, values: Numbers) -> None:
        self.values = values
        self._origins: Wholes | None = None
        self._known: dict[tuple[int, int], Numbers] = {}

    def middle(self, window: int, origins: Wholes, back: int = 0) -> Numbers:
        """The median of the `window` values that end `back` steps before each origin."""
        if origins is not self._origins:
            self._origins, self._known = origins, {}
        if (window, back) not in self._known:
            begins = np.maximum(0, origins - back - window + 1)
            self._known[window, back] = np.median(sliding_window_view(self.values, window)[begins], axis=1)
        return self._known[window, back]


@dataclass(frozen=True, slots=True)
class Level:
    """The median of the last `short` values, drawn towards that of the last `long`."""

    values: Windows
    short: int
    long: int

    @property
    def name(self) -> str:
        """As a candidate's."""
        return f"level({self.short}, {self.long})"

    def look(self, origins: Wholes, ahead: Wholes) -> tuple[Numbers, Numbers]:
        """As a candidate's."""
        near, far = self.values.middle(self.short, origins), self.values.middle(self.long, origins)
        flat = np.ones((1, len(ahead)))
        return far[:, None] * flat, (near - far)[:, None] * flat


@dataclass(frozen=True, slots=True)
class Drift:
    """On from the middle of the last half window, as fast as it differs from that of the half before."""

    values: Windows
    window: int

    @property
    def name(self) -> str:
        """As a candidate's."""
        return f"drift({self.window})"

    def look(self, origins: Wholes, ahead: Wholes) -> tuple[Numbers, Numbers]:
        """As a candidate's."""
        half = self.window // 2
        late, early = self.values.middle(half, origins), self.values.middle(half, origins, half)
        slope = (late - early) / half
        return late[:, None] * np.ones((1, len(ahead))), slope[:, None] * (ahead[None, :] + (half - 1) / 2)


@dataclass(frozen=True, slots=True)
class Seasonal:
    """What was at this phase of earlier periods, and how far the last values were off from it.

    `profile` is at each step what was usual at its phase then; a forecast reads it one period back, or as many as are
    needed to know it. `off` is the distance of each step from what one period earlier was usual. With `drift` the
    distance counts once for each period ahead.
    """

    label: str
    profile: Numbers
    off: Windows
    period: int
    window: int
    smooth: int
    drift: bool

    @property
    def name(self) -> str:
        """As a candidate's."""
        return f"{self.label}, off by the last {self.window}{', drifting' if self.drift else ''}"

    def look(self, origins: Wholes, ahead: Wholes) -> tuple[Numbers, Numbers]:
        """As a candidate's."""
        periods = -(-(ahead + self.smooth) // self.period)
        at = origins[:, None] + (ahead - periods * self.period)[None, :]
        off = self.off.middle(self.window, origins)
        times = periods.astype(np.float64) if self.drift else np.ones(len(ahead))
        return self.profile[np.maximum(at, 0)], off[:, None] * times[None, :]


def seasonal(values: Numbers, known: Flags, period: int, label: str) -> list[Candidate]:
    """The candidates of one period, in steps: the last period, means of several, each with and without a drift."""
    found: list[Candidate] = []
    windows = sorted({1, max(1, period // 24), max(1, period // 4)})
    for rate, smooth in ((1.0, period // 96), (0.3, 0), (0.1, period // 48)):
        plain = profile(values, known, period, rate)
        off = Windows(values - np.concatenate([values[:period], plain[:-period]]))
        smoothed = smoothed_by(plain, smooth)
        kind = f"{label} last" if rate == 1.0 else f"{label} mean, {rate:.0%} new"
        for window in windows:
            for drift in (False, True):
                found.append(Seasonal(kind, smoothed, off, period, window, smooth, drift))
    return found


def profile(values: Numbers, known: Flags, period: int, rate: float) -> Numbers:
    """At each step a forgetting mean of what was at its phase up to then; steps without a value teach nothing."""
    rows = -(-len(values) // period)
    room = rows * period - len(values)
    table = np.concatenate([values, np.zeros(room)]).reshape(rows, period)
    taught = np.concatenate([known, np.zeros(room, dtype=np.bool_)]).reshape(rows, period)
    made = np.empty_like(table)
    made[0] = table[0]
    seen = taught[0].astype(np.float64)
    for row in range(1, rows):
        seen += taught[row]
        weight = np.where(taught[row], np.maximum(rate, 1.0 / np.maximum(seen, 1.0)), 0.0)
        made[row] = made[row - 1] + weight * (table[row] - made[row - 1])
    return made.ravel()[: len(values)]


def smoothed_by(values: Numbers, reach: int) -> Numbers:
    """Each value's mean with its `reach` neighbours on both sides."""
    if not reach:
        return values
    sums = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(len(values))
    low, high = np.maximum(at - reach, 0), np.minimum(at + reach + 1, len(values))
    mean: Numbers = (sums[high] - sums[low]) / (high - low)
    return mean
