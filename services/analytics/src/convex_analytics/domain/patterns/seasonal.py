"""Hours of the day and of the week at which alerts come. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from convex_analytics.domain.patterns.history import DAY, Strand, Times
from convex_analytics.domain.patterns.significance import distribution

SESSION: Final = 1800.0
FEWEST: Final = 12
LEAST_SHARE: Final = 0.5
LEAST_LIFT: Final = 2.5
HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A span of the day or week that alerts come in: `start` seconds after its midnight (a week's is Monday's)."""

    period: float
    start: float
    width: float
    inside: int
    sessions: int
    units: int
    active_units: int
    p: float

    @property
    def share(self) -> float:
        """Of what began, how much began in the span."""
        return self.inside / self.sessions

    @property
    def lift(self) -> float:
        """How many times as much as without a rhythm."""
        return self.share / (self.width / self.period)


def rhythm(strand: Strand, origin: float) -> Rhythm | None:
    """The most telling span of the day, or of the week where that says nearly as much in less; None without any.

    Counted are days (weeks) with an alert in the span, against what their numbers of alerts would give if each came at
    a random hour: one bad night with a hundred alerts is one night.
    """
    times = strand.sessions(SESSION) + origin
    if len(times) < FEWEST:
        return None
    daily = _best(times, DAY, np.array([1, 2, 3, 4, 6]) * HOUR, HOUR / 2)
    weekly = _best(times, 7 * DAY, np.array([1, 2, 4, 8, 24]) * HOUR, HOUR)
    found = [one for one in (weekly, daily) if one is not None and one.share >= LEAST_SHARE and one.lift >= LEAST_LIFT]
    if len(found) == 2 and not (weekly and daily and weekly.p < 1e-4 and weekly.share >= 0.8 * daily.share):
        found = [one for one in found if one is daily]
    return found[0] if found else None


def _best(times: Times, period: float, widths: Times, step: float) -> Rhythm | None:
    units = np.floor(times / period).astype(int)
    phases = times - units * period
    firsts = np.flatnonzero(np.concatenate(([True], np.diff(units) > 0)))
    per_unit = np.diff(np.concatenate((firsts, [len(times)])))
    if len(firsts) < 4:
        return None
    starts = np.arange(0, period, step)
    looks = 2 * len(starts) * len(widths)
    best: Rhythm | None = None
    for width in widths:
        inside = ((phases[:, None] - starts[None, :]) % period) < width
        active = np.logical_or.reduceat(inside, firsts, axis=0).sum(axis=0)
        tails = np.cumsum(distribution(1 - (1 - width / period) ** per_unit)[::-1])[::-1]
        place = int(np.argmin(tails[active] - inside.sum(axis=0) * 1e-12))
        p = min(1.0, max(0.0, float(tails[active[place]])) * looks)
        if best is None or p < best.p:
            hits = int(inside[:, place].sum())
            best = Rhythm(
                period, float(starts[place]), float(width), hits, len(times), len(firsts), int(active[place]), p
            )
    return best
