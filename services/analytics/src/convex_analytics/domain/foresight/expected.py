"""When it will probably happen: between the horizons, the time goes by the rhythm."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from convex_analytics.domain.foresight.odds import HORIZONS, Odds


@dataclass(frozen=True, slots=True)
class Expected:
    """Hours from now: half the chance is before `median`, a tenth before `earliest`, nine tenths before `latest`.
    None: not within a week."""

    earliest: float | None
    median: float | None
    latest: float | None


def expected(found: Odds) -> Expected:
    """The three moments of the first event."""
    chances = [0.0]
    begin, so_far = 0, 0.0
    for horizon in HORIZONS:
        until = -math.log1p(-found.by_horizon[horizon])
        share = np.cumsum(found.hazards[begin:horizon])
        chances += list(-np.expm1(-(so_far + (until - so_far) * share / share[-1])))
        begin, so_far = horizon, until
    hours = np.arange(len(chances), dtype=float)
    curve = np.maximum.accumulate(np.array(chances))

    def when(chance: float) -> float | None:
        return float(np.interp(chance, curve, hours)) if curve[-1] >= chance else None

    return Expected(when(0.1), when(0.5), when(0.9))
