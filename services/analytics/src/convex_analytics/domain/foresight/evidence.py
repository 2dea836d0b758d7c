"""What a framework's past shows, in figures: all that words may be made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from convex_analytics.domain.foresight.history import WEEK, History, NoisyRule
from convex_analytics.domain.foresight.odds import Odds

_BUSY: Final = 1.5
"""How many times the mean an hour of the week must reach to be called busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Counts are of alerts that opened; hours are whole ones."""

    hours_known: int
    alerts: int
    last_7_days: int
    the_7_days_before: int
    critical: int
    hours_since_last: int | None
    hours_with_alerts: int
    dispersion: float | None
    """Variance over mean of the hourly counts: 1 where alerts come by themselves, more where one brings others."""
    usual_in_an_hour: int
    level_of_last_day: float
    busiest_hour: int | None
    """Of the week, Monday 00:00 UTC being 0; None where no hour stands out."""
    busiest_times_mean: float | None
    noisiest: Sequence[NoisyRule]


def gather(history: History, found: Odds, limit: int) -> Evidence:
    """The figures of a history."""
    alerts = history.alerts
    total = int(alerts.sum())
    active = np.flatnonzero(alerts)
    busiest, times = int(np.argmax(found.table)), float(found.table.max() / found.table.mean())
    stands_out = total >= 5 and len(alerts) >= WEEK and times >= _BUSY
    mean = float(alerts.mean()) if len(alerts) else 0.0
    return Evidence(
        hours_known=len(alerts),
        alerts=total,
        last_7_days=int(alerts[-WEEK:].sum()),
        the_7_days_before=int(alerts[-2 * WEEK : -WEEK].sum()),
        critical=int(history.critical.sum()),
        hours_since_last=int(len(alerts) - 1 - active[-1]) if len(active) else None,
        hours_with_alerts=len(active),
        dispersion=round(float(alerts.var()) / mean, 2) if mean > 0 else None,
        usual_in_an_hour=limit,
        level_of_last_day=round(found.levels[24.0], 2),
        busiest_hour=busiest if stands_out else None,
        busiest_times_mean=round(times, 1) if stands_out else None,
        noisiest=tuple(history.rules[:3]),
    )
