"""The default detector: whether anything like this was ever seen, at this hour, and for this long."""

from __future__ import annotations

import math
from array import array
from typing import Final

from convex_detection.pace import Pace
from convex_detection.packing import Packer, Unpacker
from convex_detection.recent import Recent
from convex_detection.rest import Rest
from convex_detection.rhythm import Rhythm
from convex_detection.score import Reason, Score, bounded
from convex_detection.seen import Seen
from convex_detection.surprise import Surprise

KEEP: Final = 512
SENSITIVITY: Final = 3.4
"""The mean -log10 of a probability that is an anomaly: the score 0.5."""

_KIND: Final = 1
_VERSION: Final = 1
_POWER: Final = 1.5
_PACE: Final = 300.0
_DEVIATIONS: Final = 5.0
_LEARN: Final = 0.005
_LARGEST: Final = 3e38
_VIEWS: Final = (Reason.NEVER_SEEN, Reason.UNUSUAL_NOW, Reason.LASTING_SHIFT)


class Novelty:
    """Looks at every value in three views and asks each how far it is from the nearest number ever shown there.

    The views: the value itself; what it is above what is usual at this hour; and the mean of that over the last four
    hours, a lasting shift too small to see in one value. A distance becomes a probability among the view's earlier
    ones, so that units, scale and noise do not matter; the score is the power mean of their -log10. A score counts
    only if it beats those of the last hours. Nearest-neighbour distances as conformal scores: Laxhammar and Falkman
    2010; combined with ranks and tails as in `surprise`.
    """

    __slots__ = ("_deviation", "_pace", "_recent", "_rest", "_rhythm", "_seen", "_single", "_surprises")

    def __init__(self) -> None:
        self._seen = (Seen(KEEP), Seen(KEEP, "f"), Seen(KEEP, "f"))
        self._surprises = (Surprise(), Surprise(), Surprise())
        self._rhythm = Rhythm()
        self._recent = Recent()
        self._rest = Rest()
        self._pace = Pace()
        self._deviation = 0.0
        self._single = array("f", [0.0])

    def update(self, value: float, at: float) -> Score:
        """The score of a value at a time, in seconds since the epoch; the value is learnt at once.

        No number scores nothing and teaches nothing. A time before the last one counts as the last one.
        """
        if not math.isfinite(value):
            return Score(0.0, None, None, None, 0.0, Reason.MISSING)
        value, pace = bounded(value), self._pace
        at = pace.at(at)
        if pace.gap:
            self._recent.forget()
        expected = self._rhythm.expected(at)
        residual = 0.0 if expected is None else value - expected
        self._rhythm.learn(value, at, pace.step)
        raw, view, nearest = self._look(value, residual, self._recent.mean(residual, at))
        if pace.step < _PACE:  # a probability per five minutes, however many values come in them
            raw = max(0.0, raw - math.log10(_PACE / pace.step))
        beats = self._rest.counts(raw, at)
        low, high = self._band(expected, residual)
        if not pace.warm:
            return Score(0.0, expected, low, high, 0.0, Reason.WARMING_UP, nearest)
        confidence = pace.confidence
        score = raw / (SENSITIVITY + raw)
        if not beats:
            reason = Reason.RESTING if score >= 0.5 else Reason.USUAL
            return Score(0.0, expected, low, high, confidence, reason, nearest)
        return Score(score, expected, low, high, confidence, _VIEWS[view] if score >= 0.5 else Reason.USUAL, nearest)

    def pack(self) -> bytes:
        """The state, at most 16 KiB; `unpack` goes on exactly where this was."""
        to = Packer(_KIND, _VERSION)
        for seen, surprise in zip(self._seen, self._surprises, strict=True):
            seen.pack(to)
            surprise.pack(to)
        self._rhythm.pack(to)
        self._recent.pack(to)
        self._rest.pack(to)
        self._pace.pack(to)
        to.floats(self._deviation)
        return to.packed()

    @classmethod
    def unpack(cls, data: bytes) -> Novelty:
        """From `pack`. NotAState."""
        source, made = Unpacker(data, _KIND, _VERSION), cls()
        for seen, surprise in zip(made._seen, made._surprises, strict=True):
            seen.unpack(source)
            surprise.unpack(source)
        made._rhythm.unpack(source)
        made._recent.unpack(source)
        made._rest.unpack(source)
        made._pace.unpack(source)
        (made._deviation,) = source.floats(1)
        source.end()
        return made

    def _look(self, value: float, residual: float, mean: float) -> tuple[float, int, float]:
        """The score, the view that says most, and the distance of the value itself."""
        single = self._single
        total, most, best, first = 0.0, -1.0, 0, 0.0
        for view, shown in enumerate((value, residual, mean)):
            number = shown
            if view:  # these two are kept as four bytes each
                single[0] = max(-_LARGEST, min(_LARGEST, shown))
                number = single[0]
            novelty = self._seen[view].novelty(number)
            surprise = self._surprises[view]
            score = surprise.score(novelty)
            surprise.add(novelty)
            if not view:
                first = novelty
            if score > most:
                most, best = score, view
            total += score**_POWER
        return (total / 3.0) ** (1 / _POWER), best, first

    def _band(self, expected: float | None, residual: float) -> tuple[float | None, float | None]:
        if expected is None:
            return None, None
        width = _DEVIATIONS * self._deviation
        size = abs(residual)
        if self._deviation == 0.0:
            self._deviation = size
        else:
            self._deviation += max(_LEARN, 1.0 / self._pace.rows) * (min(size, 6 * self._deviation) - self._deviation)
        return expected - width, expected + width
