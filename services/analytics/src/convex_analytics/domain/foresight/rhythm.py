"""How probable an event is in each hour of the week, as it was known on each day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from convex_analytics.domain.foresight.history import WEEK, Rates

HALF_LIFE: Final = 21 * 24.0
"""Hours after which an hour counts half: habits change."""

PRIOR_EVENTS, PRIOR_HOURS = 0.5, 168.0
"""Of what nothing is known, an event a fortnight is thought; a week of knowledge weighs as much."""

OF_DAY, OF_WEEK = 4.0, 4.0
"""Hours that one of the day needs to weigh as much as the mean, and one of the week as much as its hour of the day."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """`known[d]` is each hour of the week's probability before day `d` of the past began; the last is today's."""

    known: NDArray[np.float64]
    expected: Rates
    """What was expected of each hour of the past, by what was known on its day's morning."""


def learn(events: NDArray[np.bool_], hours: NDArray[np.int64]) -> Rhythm:
    """Go through the past day by day. `hours` are the hours of the week of `events`."""
    seen, hit = np.zeros(WEEK), np.zeros(WEEK)
    fade = 0.5 ** (24.0 / HALF_LIFE)
    known, expected = [], np.empty(len(events))
    for first in range(0, len(events), 24):
        day = slice(first, min(first + 24, len(events)))
        table = _table(seen, hit)
        known.append(table)
        expected[day] = table[hours[day]]
        seen, hit = seen * fade, hit * fade
        np.add.at(seen, hours[day], 1.0)
        np.add.at(hit, hours[day], events[day].astype(float))
    known.append(_table(seen, hit))
    return Rhythm(np.array(known), expected)


def _table(seen: Rates, hit: Rates) -> Rates:
    """Each hour of the week drawn to its hour of the day, and that one to the mean; neighbours lend one
    another some."""
    mean = (hit.sum() + PRIOR_EVENTS) / (seen.sum() + PRIOR_HOURS)
    of_day_seen, of_day_hit = _lent(seen.reshape(7, 24).sum(axis=0)), _lent(hit.reshape(7, 24).sum(axis=0))
    of_day = (of_day_hit + OF_DAY * mean) / (of_day_seen + OF_DAY)
    table = (_lent(hit) + OF_WEEK * np.tile(of_day, 7)) / (_lent(seen) + OF_WEEK)
    return np.clip(table, 1e-5, 1.0 - 1e-5)


def _lent(around: Rates) -> Rates:
    return 0.7 * around + 0.15 * (np.roll(around, 1) + np.roll(around, -1))
