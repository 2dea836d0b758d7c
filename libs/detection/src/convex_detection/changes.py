"""When a series went over to another level, and stayed there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from convex_detection.grid import Numbers, Series, TooLittle, regular
from convex_detection.noise import blocks, deviation, inflation, memory

SIGNIFICANT: Final = 0.01
"""The probability of any change at all being found in a series that has none."""

_SHORTEST: Final = 12
"""Values an interval needs to be looked at."""

_CLIP: Final = 3.0

_DECAY: Final = 0.5**0.5


@dataclass(frozen=True, slots=True)
class Change:
    """The first time of the new level, the medians before and after up to the neighbouring changes, and how sure it is.

    `size` is the difference in deviations of the noise; `p` is corrected for everything that was looked at.
    """

    at: float
    before: float
    after: float
    size: float
    p: float


def changes_of(times: Series, values: Series, *, significant: float = SIGNIFICANT) -> list[Change]:
    """The changes of level, in order. TooLittle.

    The largest cumulative sum of deviations, cut off at three and beside what noise of this memory would reach, over
    the intervals of seeded binary segmentation (Kovács et al. 2023): outliers count little, and short-lived levels do
    not hide behind one another. Take a known rhythm away first: see `seasons.without`.
    """
    at, value = blocks(regular(times, values))
    intervals = list(_intervals(len(value)))
    if not intervals:
        raise TooLittle(f"{_SHORTEST} values are needed, there are {len(value)}")
    correlation = memory(value)
    noise = deviation(value, correlation)
    if noise <= 0.0:
        return []
    found = []
    for begin, end in intervals:
        where, p = split(value[begin:end] / noise, inflation(correlation))
        corrected = min(1.0, p * len(intervals))
        if corrected < significant:
            found.append((end - begin, corrected, begin, end, begin + where))
    return _described(at, value, _narrowest(found))


def split(values: Numbers, widening: float) -> tuple[int, float]:
    """Where the second part begins that differs most from the first, and the probability of such a difference.

    `values` in deviations of the noise, whose sums vary so much more than those of independent values. The largest
    distance of a Brownian bridge from zero is beyond b with a probability of at most 2 exp(-2 b²).
    """
    count = len(values)
    off = np.clip(values - np.median(values), -_CLIP, _CLIP)
    sums = np.abs(np.cumsum(off - off.mean()))[:-1]
    where = int(np.argmax(sums))
    return where + 1, min(1.0, 2.0 * math.exp(-2.0 * float(sums[where]) ** 2 / (count * widening)))


def _intervals(length: int) -> Iterator[tuple[int, int]]:
    """Everything, then layers of ever shorter intervals that overlap by half."""
    size = float(length)
    while size >= _SHORTEST:
        count = max(1, 2 * math.ceil(length / size) - 1)
        shift = (length - size) / max(1, count - 1)
        for number in range(count):
            yield math.floor(number * shift), math.ceil(number * shift + size)
        size *= _DECAY


def _narrowest(found: list[tuple[int, float, int, int, int]]) -> list[tuple[int, float]]:
    """Of the intervals that hold a change, the narrowest first; those that hold a change already told are dropped."""
    told: list[tuple[int, float]] = []
    for _, p, begin, end, where in sorted(found):
        if not any(begin < other < end for other, _ in told):
            told.append((where, p))
    return sorted(told)


def _described(at: Numbers, value: Numbers, found: list[tuple[int, float]]) -> list[Change]:
    edges = [0, *(where for where, _ in found), len(value)]
    levels = [float(np.median(value[begin:end])) for begin, end in pairwise(edges)]
    residual = np.concatenate([value[b:e] - m for b, e, m in zip(edges[:-1], edges[1:], levels, strict=True)])
    noise = 1.4826 * float(np.median(np.abs(residual)))
    return [
        Change(
            float(at[where]),
            levels[n],
            levels[n + 1],
            abs(levels[n + 1] - levels[n]) / noise if noise > 0.0 else math.inf,
            p,
        )
        for n, (where, p) in enumerate(found)
    ]
