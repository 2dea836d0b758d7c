"""The mean of the last hours, in constant memory whatever the pace."""

from __future__ import annotations

from array import array
from typing import Final

from convex_detection.packing import Packer, Unpacker

SLOTS: Final = 48
SPAN: Final = 300.0
"""Seconds that a slot covers at least: four hours in all, and 48 values where they come more rarely."""


class Recent:
    """A ring of 48 slots of sums; a slot takes values for five minutes, or one value where they are rarer."""

    __slots__ = ("at", "began", "counts", "rows", "sums", "total")

    def __init__(self) -> None:
        self.sums = array("d", [0.0]) * SLOTS
        self.counts = array("L", [0]) * SLOTS
        self.at = 0
        self.began = 0.0
        self.total = 0.0
        self.rows = 0

    def mean(self, value: float, at: float) -> float:
        """The mean including this value; `at` in seconds."""
        if self.rows == 0 or at - self.began >= SPAN:
            self._next(at)
        self.sums[self.at] += value
        self.counts[self.at] += 1
        self.total += value
        self.rows += 1
        return self.total / self.rows

    def forget(self) -> None:
        """Begin anew, after a gap."""
        for at in range(SLOTS):
            self.sums[at], self.counts[at] = 0.0, 0
        self.at, self.rows = 0, 0
        self.began = self.total = 0.0

    def pack(self, to: Packer) -> None:
        """Into a detector's state."""
        to.numbers(self.sums, "d")
        to.numbers(self.counts, "L")
        to.floats(self.began, self.total)
        to.whole(self.at, self.rows)

    def unpack(self, source: Unpacker) -> None:
        """From a detector's state."""
        self.sums = source.numbers("d")
        self.counts = array("L", (int(count) for count in source.numbers("L")))
        self.began, self.total = source.floats(2)
        self.at, self.rows = source.whole(2)

    def _next(self, at: float) -> None:
        self.began = at
        self.at = (self.at + 1) % SLOTS
        self.total -= self.sums[self.at]
        self.rows -= self.counts[self.at]
        self.sums[self.at] = 0.0
        self.counts[self.at] = 0
        if self.at == 0:  # no drift of a running sum
            self.total = sum(self.sums)
