"""How long things took, so that it can be put together: of quarters to a day, of days to a month, of frameworks to all.

Percentiles cannot be added, so what is kept is a sketch: how many fall into each of many buckets, each 2 % wider than
the one before. A percentile read from it is within 1 % of the true one, whatever was put together; the mean is exact.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

GROWTH: Final = 1.02
SHORTEST: Final = 0.001
"""Seconds; what is shorter counts as this long."""


def bucket_of(seconds: float) -> int:
    """The bucket (GROWTH^(n-1), GROWTH^n] that holds a duration."""
    return math.ceil(math.log(max(seconds, SHORTEST)) / math.log(GROWTH))


def seconds_of(bucket: int) -> float:
    """What stands for a bucket: the value that is equally far, in proportion, from both of its ends."""
    return 2 * GROWTH**bucket / (GROWTH + 1)


@dataclass(frozen=True, slots=True)
class Durations:
    """Some durations: how many, their sum in seconds, and how many in each bucket."""

    count: int = 0
    total: float = 0.0
    buckets: Mapping[int, int] = field(default_factory=dict)

    @property
    def mean(self) -> float | None:
        """In seconds, exactly; None where there are none."""
        return round(self.total / self.count, 3) if self.count else None

    def percentile(self, fraction: float) -> float | None:
        """The duration that so many are not above, within 1 %; None where there are none."""
        known = sum(self.buckets.values())
        if not known:
            return None
        rank = max(1, math.ceil(fraction * known))
        for bucket in sorted(self.buckets):
            rank -= self.buckets[bucket]
            if rank <= 0:
                break
        return round(seconds_of(bucket), 3)

    def as_answer(self) -> dict[str, float | None]:
        """Average, median and 95th percentile, in seconds."""
        return {"avg": self.mean, "p50": self.percentile(0.5), "p95": self.percentile(0.95)}
