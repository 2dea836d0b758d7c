"""Alerts that become more, or worse. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from convex_analytics.domain.patterns.history import DAY, DAYS, Strand, Times
from convex_analytics.domain.patterns.significance import normal_tail

SESSION: Final = 1800.0
FEWEST: Final = 15
SHORTEST_DAYS: Final = 14
LEAST_GROWTH: Final = 2.0
LEAST_RISE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Growth:
    """What grows, from the first third of the time to the last: alerts a day, or the mean rank of their severity."""

    what: Literal["rate", "severity"]
    before: float
    after: float
    onsets: int
    days: int
    p: float


def growth(strand: Strand) -> Growth | None:
    """The rate where it has at least doubled, else the severity where it has risen; None where neither has.

    Days in a random order would seldom grow like this: the test is that of permutations, so bad days count as days.
    """
    times = strand.sessions(SESSION)
    if len(times) < FEWEST:
        return None
    first = int(times[0] // DAY)
    days = DAYS - first
    if days < SHORTEST_DAYS:
        return None
    counts = np.bincount((times // DAY).astype(int) - first, minlength=days)[:days].astype(float)
    third = days // 3
    before, after = float(counts[:third].mean()), float(counts[-third:].mean())
    p = _trend(counts)
    if after >= LEAST_GROWTH * max(before, 1 / third) and counts[-third:].sum() >= 8 and p < 0.05:
        return Growth("rate", before, after, len(times), days, min(1.0, 2 * p))
    return _severity(strand, days)


def _severity(strand: Strand, days: int) -> Growth | None:
    ranks = np.array([one.severity.rank for one in strand.episodes], dtype=float)
    if len(ranks) < FEWEST or len(np.unique(ranks)) < 2:
        return None
    third = len(ranks) // 3
    before, after = float(ranks[:third].mean()), float(ranks[-third:].mean())
    if after - before < LEAST_RISE:
        return None
    return Growth("severity", before, after, len(ranks), days, min(1.0, 2 * _trend(ranks)))


def _trend(values: Times) -> float:
    """How probable it is that values in a random order grow as much."""
    places = np.arange(len(values)) - (len(values) - 1) / 2
    spread = float(np.sqrt((places**2).sum() * ((values - values.mean()) ** 2).sum() / (len(values) - 1)))
    if spread == 0:
        return 1.0
    return normal_tail(float((places * values).sum()) / spread) if math.isfinite(spread) else 1.0
