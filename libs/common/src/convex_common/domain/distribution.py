"""How values are spread: counted by buckets, so that the counts of many processes can be added and still be asked."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

LATENCY_MS_BUCKETS: Final = (5, 10, 20, 30, 50, 75, 100, 150, 250, 500, 1000, 2500, 5000)
BUCKETS: Final = (*map(float, LATENCY_MS_BUCKETS), float("inf"))
"""Upper bounds in ms, inclusive."""


@dataclass
class Distribution:
    """How many values fell into each of BUCKETS, and their sum in microseconds, whole so that no addition rounds."""

    counts: list[int] = field(default_factory=lambda: [0] * len(BUCKETS))
    total_us: int = 0

    def add(self, milliseconds: float) -> None:
        """One value more; what is below 0, by clocks that differ, counts as 0."""
        milliseconds = max(0.0, milliseconds)
        self.counts[bisect_left(BUCKETS, milliseconds)] += 1
        self.total_us += round(milliseconds * 1000)

    def merge(self, other: Distribution) -> None:
        """The other's values as well."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.total_us += other.total_us

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)

    @property
    def mean(self) -> float | None:
        """Exact; None of nothing."""
        count = self.count
        return self.total_us / 1000 / count if count else None

    def quantile(self, share: float) -> float | None:
        """The value that a share (0 to 1) of all does not exceed, as if each bucket's were spread evenly over it.

        So it lies in the very bucket of the true one. Beyond the last bound it is that bound; None of nothing.
        """
        count = self.count
        if not count:
            return None
        rank = share * count
        below = 0
        for lower, upper, here in self._bounded():
            if below + here >= rank and here:
                return lower if upper == BUCKETS[-1] else lower + (upper - lower) * max(0.0, rank - below) / here
            below += here
        return BUCKETS[-2]

    def _bounded(self) -> Iterator[tuple[float, float, int]]:
        lower = 0.0
        for upper, here in zip(BUCKETS, self.counts, strict=True):
            yield lower, upper, here
            lower = upper


def merged(distributions: Iterable[Distribution]) -> Distribution:
    """All of them in one."""
    everything = Distribution()
    for one in distributions:
        everything.merge(one)
    return everything
