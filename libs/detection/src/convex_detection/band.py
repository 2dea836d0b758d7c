"""The plain detector: how many robust deviations a value is away from what is usual at this hour."""

from __future__ import annotations

import math
from typing import Final

from convex_detection.pace import Pace
from convex_detection.packing import Packer, Unpacker
from convex_detection.rest import Rest
from convex_detection.rhythm import Rhythm
from convex_detection.score import Reason, Score, bounded

WIDTH: Final = 6.0
"""Mean absolute deviations at which the score is 0.5."""

_KIND: Final = 2
_VERSION: Final = 1
_LEARN: Final = 0.005
_CLIP: Final = 6.0
_FURTHEST: Final = 1e9


class Band:
    """Expected by the rhythm; the deviation is a forgetting mean of clipped absolute errors.

    It explains itself in one sentence and needs 2 KiB; what it cannot see is a value that is never seen within the
    band, and a shift that is small and lasts.
    """

    __slots__ = ("_deviation", "_pace", "_rest", "_rhythm")

    def __init__(self) -> None:
        self._pace = Pace()
        self._rhythm = Rhythm()
        self._rest = Rest()
        self._deviation = 0.0

    def update(self, value: float, at: float) -> Score:
        """As every detector's."""
        if not math.isfinite(value):
            return Score(0.0, None, None, None, 0.0, Reason.MISSING)
        value, at = bounded(value), self._pace.at(at)
        expected = self._rhythm.expected(at)
        self._rhythm.learn(value, at, self._pace.step)
        if expected is None:
            return Score(0.0, None, None, None, 0.0, Reason.WARMING_UP)
        off, width = abs(value - expected), self._deviation
        self._learn(off)
        away = min(_FURTHEST, off / width) if width > 0.0 else 0.0 if off == 0.0 else 2 * WIDTH
        beats = self._rest.counts(away, at)
        low, high = expected - WIDTH * width, expected + WIDTH * width
        if not self._pace.warm:
            return Score(0.0, expected, low, high, 0.0, Reason.WARMING_UP)
        score = away / (WIDTH + away)
        if score < 0.5:
            return Score(score if beats else 0.0, expected, low, high, self._pace.confidence, Reason.USUAL)
        if not beats:
            return Score(0.0, expected, low, high, self._pace.confidence, Reason.RESTING)
        return Score(score, expected, low, high, self._pace.confidence, Reason.OUT_OF_BAND)

    def pack(self) -> bytes:
        """As every detector's."""
        to = Packer(_KIND, _VERSION)
        self._pace.pack(to)
        self._rhythm.pack(to)
        self._rest.pack(to)
        to.floats(self._deviation)
        return to.packed()

    @classmethod
    def unpack(cls, data: bytes) -> Band:
        """As every detector's."""
        source, made = Unpacker(data, _KIND, _VERSION), cls()
        made._pace.unpack(source)
        made._rhythm.unpack(source)
        made._rest.unpack(source)
        (made._deviation,) = source.floats(1)
        source.end()
        return made

    def _learn(self, off: float) -> None:
        if self._deviation == 0.0:
            self._deviation = off
        else:
            rate = max(_LEARN, 1.0 / self._pace.rows)
            self._deviation += rate * (min(off, _CLIP * self._deviation) - self._deviation)
