"""How much of a series is its own past: what tests have to know before they believe in a thousand values."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from convex_detection.grid import Grid, Numbers

FEW: Final = 512
"""Values that tests look at; longer series become medians of blocks first."""

MOST: Final = 0.99


def blocks(grid: Grid, most: int = FEW) -> tuple[Numbers, Numbers]:
    """Times and medians of at most so many blocks of equal length, of what is known; the rest of a block is left out.

    Blocks make tests quick, and their medians forget the memory between neighbouring values.
    """
    size = -(-len(grid) // most)
    count = len(grid) // size
    values = grid.values[len(grid) - count * size :].reshape(count, size)
    known = grid.known[len(grid) - count * size :].reshape(count, size)
    some = known.any(axis=1)
    middle: Numbers = np.nanmedian(np.where(known[some], values[some], np.nan), axis=1)
    back = np.arange(count - 1, -1, -1, dtype=np.float64)
    ends = grid.end - grid.step * (size * back + (size - 1) / 2)
    return ends[some], middle


def memory(values: Numbers) -> float:
    """The correlation of a value with the one before it, from -0.99 to 0.99, blind to trends and to a few jumps.

    Differences over two steps are wider than those over one by the less, the longer the memory: for an autoregressive
    series of order one the ratio of their variances is one plus the correlation. One standard error is added: a test
    that takes memory for too short finds what is not there.
    """
    one, two = (_variance(values[lag:] - values[:-lag]) for lag in (1, 2))
    if one <= 0.0:
        return 0.0
    count = len(values)
    found = two / one - 1.0
    return max(-MOST, min(MOST, (count * found + 2.0) / (count - 4.0) + 1.0 / math.sqrt(count)))


def deviation(values: Numbers, correlation: float) -> float:
    """The standard deviation of the noise around the levels and trends of a series with this memory."""
    differences = values[1:] - values[:-1]
    found = _variance(differences) or float(np.mean(differences**2))
    return math.sqrt(found / (2.0 * (1.0 - correlation)))


def inflation(correlation: float) -> float:
    """By how much the variance of a mean is larger than that of as many independent values; at least 1."""
    return max(1.0, (1.0 + correlation) / (1.0 - correlation))


def two_sided(score: float) -> float:
    """The probability of a normal score at least as far from zero."""
    return math.erfc(abs(score) / math.sqrt(2.0))


def _variance(differences: Numbers) -> float:
    """Without what is further than two and a half deviations from the middle."""
    off = np.abs(differences - np.median(differences))
    return float(np.mean(np.minimum(off, 2.5 * 1.4826 * np.median(off)) ** 2))
