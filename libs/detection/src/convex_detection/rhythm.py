"""What is usual at this hour: of the day at first, of the week once that has proved better."""

from __future__ import annotations

from array import array
from typing import Final

from convex_detection.packing import Packer, Unpacker

HOURS: Final = 24
WEEK: Final = 168
_HALF_LIFE: Final = 8.0 * HOURS * 3600.0
"""Seconds after which an hour's usual value has half forgotten, counted in the rows that fall into that hour."""

_FEWEST: Final = 30.0
"""Rows after which it has half forgotten at the earliest, however rare they are."""

_WEEK_AFTER: Final = 10 * 86_400.0
_BETTER: Final = 0.8
"""How much smaller the errors by the hour of the week have to be."""

_ERRORS: Final = 0.002


class Rhythm:
    """Forgetting means by hour of the day and by hour of the week; the better of both predicts.

    Which is better is judged by their own running absolute errors, so a new weekly rhythm is learnt by itself and a
    series without one never pays for it. `at` is in seconds since the epoch; hours are those of UTC.
    """

    __slots__ = ("counts", "day_error", "means", "since", "week_error", "weekly")

    def __init__(self) -> None:
        self.means = array("d", [0.0]) * (HOURS + WEEK)
        self.counts = array("L", [0]) * (HOURS + WEEK)
        self.day_error = 0.0
        self.week_error = 0.0
        self.since = 0.0
        self.weekly = False

    def expected(self, at: float) -> float | None:
        """What is usual now; None before this hour was ever seen."""
        hour = int(at // 3600)
        day = hour % HOURS
        if self.weekly:
            week = HOURS + hour % WEEK
            if self.counts[week] > 1:
                return self.means[week]
        return self.means[day] if self.counts[day] else None

    def pack(self, to: Packer) -> None:
        """Into a detector's state."""
        to.numbers(self.means, "d")
        to.numbers(self.counts, "L")
        to.floats(self.day_error, self.week_error, self.since)
        to.whole(int(self.weekly))

    def unpack(self, source: Unpacker) -> None:
        """From a detector's state."""
        self.means = source.numbers("d")
        self.counts = array("L", (int(count) for count in source.numbers("L")))
        self.day_error, self.week_error, self.since = source.floats(3)
        self.weekly = bool(source.whole(1)[0])

    def learn(self, value: float, at: float, step: float) -> None:
        """Take a value in; `step` is the usual distance between two, in seconds."""
        hour = int(at // 3600)
        day, week = hour % HOURS, HOURS + hour % WEEK
        means, counts = self.means, self.counts
        if not self.since:
            self.since = at
        day_off, week_off = value - means[day], value - means[week]
        if counts[week] > 1:
            self.day_error += _ERRORS * (abs(day_off) - self.day_error)
            self.week_error += _ERRORS * (abs(week_off) - self.week_error)
            self.weekly = self.week_error < _BETTER * self.day_error and at - self.since > _WEEK_AFTER
        rows = max(_FEWEST, _HALF_LIFE / (HOURS * step))
        rate = 0.693 / rows
        counts[day] += 1
        counts[week] += 1
        means[day] += max(rate, 1.0 / counts[day]) * day_off
        means[week] += max(rate, 1.0 / counts[week]) * week_off
