"""All numbers ever seen, in bounded memory: how far a new one is from the nearest of them."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left

from convex_detection.packing import Packer, Unpacker


class Seen:
    """Numbers in order, at most `keep` of them.

    When it is full, close neighbours are merged and the distance at which they are doubles: the covered range stays,
    only the resolution drops. `typecode` is the array module's (`d` or `f`); numbers are rounded to it first, so that
    what comes again is found again.
    """

    __slots__ = ("gap", "keep", "points")

    def __init__(self, keep: int, typecode: str = "d") -> None:
        self.points: array[float] = array(typecode)
        self.keep = keep
        self.gap = 0.0

    def novelty(self, number: float) -> float:
        """The distance to the nearest number seen before (0 for the first one); the number is then seen, too."""
        points = self.points
        at = bisect_left(points, number)
        if at == len(points):
            distance = number - points[-1] if at else math.inf
        else:
            distance = points[at] - number
            if at and number - points[at - 1] < distance:
                distance = number - points[at - 1]
        if distance > self.gap:
            points.insert(at, number)
            if len(points) > self.keep:
                self._thin()
        return distance if distance < math.inf else 0.0

    def pack(self, to: Packer) -> None:
        """Into a detector's state."""
        to.floats(self.gap)
        to.numbers(self.points, self.points.typecode)

    def unpack(self, source: Unpacker) -> None:
        """From a detector's state."""
        (self.gap,) = source.floats(1)
        self.points = source.numbers(self.points.typecode)

    def _thin(self) -> None:
        while len(self.points) > 0.75 * self.keep:
            points = self.points
            self.gap = max(2 * self.gap, (points[-1] - points[0]) / (16 * self.keep))
            kept: array[float] = array(points.typecode, points[:1])
            for number in points[1:-1]:
                if number - kept[-1] > self.gap:
                    kept.append(number)
            kept.append(points[-1])
            self.points = kept
