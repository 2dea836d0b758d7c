"""How improbable a novelty is among all earlier ones of the same view."""

from __future__ import annotations

import math
from array import array
from typing import Final

from convex_detection.packing import Packer, Unpacker

TAIL: Final = 0.05
"""The share of the largest novelties to which the exponential tail is fitted."""

_PER_OCTAVE: Final = 4
_OCTAVES: Final = 40
BINS: Final = _PER_OCTAVE * _OCTAVES
_MOST_BEYOND: Final = 10.0
_SMALLEST: Final = 1e-150
"""What is less is no distance: beside numbers up to `score.LARGEST` everything else can be divided."""
_LOG10_E: Final = math.log10(math.e)


class Surprise:
    """A histogram with logarithmic bins; beyond its top twentieth an exponential tail by the mean excess.

    Below the tail the probability of a novelty at least as large is its rank (conformal p-value: Vovk et al. 2005);
    in the tail it is that of an exponential distribution of excesses (peaks over threshold: Pickands 1975, with a
    shape of zero).
    """

    __slots__ = ("above", "above_sum", "counts", "cut", "rows", "sums", "unit")

    def __init__(self) -> None:
        self.counts = array("L", [0]) * BINS
        self.sums = array("d", [0.0]) * BINS
        self.rows = 0
        self.unit = 0.0
        self.cut = BINS - 1
        self.above = 0
        self.above_sum = 0.0

    def score(self, novelty: float) -> float:
        """-log10 of the probability that a novelty at least this large comes up."""
        if novelty < _SMALLEST or not self.rows:
            return 0.0
        if self.unit == 0.0:
            return math.log10(self.rows + 1)
        at = self._bin(novelty)
        if at <= self.cut or not self.above:
            return -math.log10((sum(self.counts[at:]) + 1) / (self.rows + 1))
        start: float = self.unit * 2.0 ** (self.cut / _PER_OCTAVE - _OCTAVES / 2)
        excess = self.above_sum / self.above - start
        if excess <= 0.0:
            excess = start
        beyond = min(_MOST_BEYOND, _LOG10_E * max(0.0, novelty - start) / excess)
        return beyond - math.log10((self.above + 1) / (self.rows + 1))

    def add(self, novelty: float) -> None:
        """Count it among the earlier ones."""
        if self.unit == 0.0 and novelty >= _SMALLEST:
            self.unit = 2.0 ** math.floor(math.log2(novelty))
        at = self._bin(novelty)
        self.rows += 1
        self.counts[at] += 1
        self.sums[at] += novelty
        if at >= self.cut:
            self.above += 1
            self.above_sum += novelty
        wanted = max(3, int(TAIL * self.rows))
        while self.cut < BINS - 1 and self.above - self.counts[self.cut] >= wanted:
            self.above -= self.counts[self.cut]
            self.above_sum -= self.sums[self.cut]
            self.cut += 1
        while self.above < wanted and self.cut > 1:
            self.cut -= 1
            self.above += self.counts[self.cut]
            self.above_sum += self.sums[self.cut]

    def pack(self, to: Packer) -> None:
        """Into a detector's state: only the bins that hold something."""
        used = [at for at in range(BINS) if self.counts[at]]
        to.whole(self.rows, self.cut, self.above)
        to.floats(self.unit, self.above_sum)
        to.numbers(used, "L")
        to.numbers([self.counts[at] for at in used], "L")
        to.numbers([self.sums[at] for at in used], "d")

    def unpack(self, source: Unpacker) -> None:
        """From a detector's state."""
        self.rows, self.cut, self.above = source.whole(3)
        self.unit, self.above_sum = source.floats(2)
        used, counts, sums = source.numbers("L"), source.numbers("L"), source.numbers("d")
        for at, count, total in zip(used, counts, sums, strict=True):
            self.counts[int(at)], self.sums[int(at)] = int(count), total

    def _bin(self, novelty: float) -> int:
        if novelty < _SMALLEST:
            return 0
        at = int(_PER_OCTAVE * (math.log2(novelty / self.unit) + _OCTAVES / 2))
        return 1 if at < 1 else BINS - 1 if at >= BINS else at
