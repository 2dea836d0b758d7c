"""Whether a series rises or falls, how fast, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from convex_detection.grid import Numbers, Series, regular
from convex_detection.noise import blocks, inflation, memory, two_sided


@dataclass(frozen=True, slots=True)
class Trend:
    """`slope` in units a second, `low` and `high` its 95 % range; `tau` from -1 (always falls) to 1 (always rises).

    `p` is the probability of a tau at least as far from zero in a series of the same memory that has no trend.
    """

    slope: float
    low: float
    high: float
    tau: float
    p: float


def trend_of(times: Series, values: Series) -> Trend:
    """Mann and Kendall's test and Theil and Sen's slope, with the variance that the series' memory asks for. TooLittle.

    The memory is that of an autoregressive series of order one (Hamed 2009); outliers and gaps do no harm.
    """
    at, value = blocks(regular(times, values))
    count = len(at)
    earlier, later = np.triu_indices(count, 1)
    rises = value[later] - value[earlier]
    total = float(np.sign(rises).sum())
    slopes = np.sort(rises / (at[later] - at[earlier]))
    slope = float(np.median(slopes))
    tau = total / len(rises)
    _, ties = np.unique(value, return_counts=True)
    variance = (count * (count - 1) * (2 * count + 5) - float(np.sum(ties * (ties - 1) * (2 * ties + 5)))) / 18.0
    if variance <= 0.0:
        return Trend(slope, slope, slope, tau, 1.0)
    spread = math.sqrt(variance * inflation(memory(value - slope * (at - at[0]))))
    low, high = _around(slopes, 1.96 * spread)
    score = (total - math.copysign(1.0, total)) / spread if total else 0.0
    return Trend(slope, low, high, tau, two_sided(score))


def _around(slopes: Numbers, reach: float) -> tuple[float, float]:
    """Sen's range: the slopes that many ranks apart around the middle."""
    middle, places = (len(slopes) - 1) / 2.0, np.arange(len(slopes))
    low, high = np.interp([middle - reach / 2.0, middle + reach / 2.0], places, slopes)
    return float(low), float(high)
