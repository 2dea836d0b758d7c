"""The range that the next of some errors lies in."""

from __future__ import annotations

import math

import numpy as np

from convex_detection.grid import Numbers
from convex_detection.noise import MOST, inflation


def edges(off: Numbers, level: float) -> tuple[float, float]:
    """The range of errors, in the order of their time, that the next one lies in with this probability.

    As conformal prediction counts it: of n errors, the next is below the smallest with a probability of 1 / (n + 1).
    Errors that are like the ones before them count for less than one each.
    """
    if not len(off):
        return -math.inf, math.inf
    part = tail((1.0 - level) / 2.0, off)
    low, high = np.quantile(off, [part, 1.0 - part])
    return float(low), float(high)


def tail(share: float, off: Numbers) -> float:
    """The share of these errors to leave out on one side, so that the next one is beyond with this probability."""
    count = max(2.0, len(off) / inflation(likeness(off)))
    return max(0.0, (share * (count + 1.0) - 1.0) / (count - 1.0))


def likeness(off: Numbers) -> float:
    """The rank correlation of each error with the one before it."""
    ranks = np.argsort(np.argsort(off, kind="stable"), kind="stable") - (len(off) - 1) / 2
    whole = float(ranks @ ranks)
    return min(MOST, float(ranks[1:] @ ranks[:-1]) / whole) if whole > 0.0 else 0.0
