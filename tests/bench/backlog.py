"""Whether a backlog is flat: what decides if a rate was sustained or merely accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.report import percentile

WARM_UP = 5
"""Seconds at the beginning that are not judged."""

EDGE = 10
"""Seconds at each end whose means are compared."""


@dataclass(frozen=True)
class Trend:
    """What became of a backlog that was counted each second while events came in."""

    slope: float
    """Rows per second, by least squares."""
    first: float
    last: float
    p50: float
    most: float
    end: float
    flat: bool


def trend(counts: Sequence[int], rate: float) -> Trend:
    """The trend of a backlog at `rate` events (or rows) per second.

    It is flat when neither its slope over the whole time nor the mean of its end over that of its beginning amounts to
    more than one second's worth of what came in.
    """
    judged = counts[WARM_UP:] if len(counts) > 2 * WARM_UP else counts
    if not judged:
        return Trend(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, flat=False)
    edge = min(EDGE, max(1, len(judged) // 2))
    first, last = sum(judged[:edge]) / edge, sum(judged[-edge:]) / edge
    slope = _slope(judged)
    return Trend(
        slope=slope,
        first=first,
        last=last,
        p50=percentile(judged, 0.5),
        most=max(judged),
        end=judged[-1],
        flat=last - first <= rate and slope * len(judged) <= rate,
    )


def _slope(counts: Sequence[int]) -> float:
    middle, mean = (len(counts) - 1) / 2, sum(counts) / len(counts)
    across = sum((n - middle) ** 2 for n in range(len(counts)))
    return sum((n - middle) * (count - mean) for n, count in enumerate(counts)) / across if across else 0.0
