"""A framework's past by the hour."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Rates = NDArray[np.float64]

WEEK: Final = 168
DAYS: Final = 56
"""How far back is looked: eight weeks, so that every hour of the week was seen a few times."""

USUAL: Final = 0.997
"""The share of a framework's hours that are usual: what is beyond comes about once in a fortnight."""

FEWEST: Final = 2
"""An hour with so many alerts is never unusual."""


@dataclass(frozen=True, slots=True)
class NoisyRule:
    """A rule, and how many alerts of the last seven days are its."""

    name: str
    alerts: int


@dataclass(frozen=True, slots=True)
class Recommended:
    """What a pattern that was found says should be done."""

    pattern: str
    action: str


@dataclass(frozen=True, slots=True)
class History:
    """Whole hours that end at `as_of`, the oldest first: how many alerts opened, and how many became critical."""

    as_of: dt.datetime
    alerts: Counts
    critical: Counts
    rules: Sequence[NoisyRule] = field(default_factory=tuple)
    patterns: Sequence[Recommended] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        if self.alerts.shape != self.critical.shape or self.alerts.ndim != 1:
            raise ValueError("alerts and critical must be as many hours; count both over the same ones")

    @property
    def hours(self) -> int:
        """How many hours are known."""
        return len(self.alerts)

    def hours_of_week(self, first: int, count: int) -> NDArray[np.int64]:
        """The hour of the week, Monday 00:00 UTC being 0, of hours by their place; `hours` is the first to come."""
        utc = self.as_of.astimezone(dt.UTC)
        at = utc.weekday() * 24 + utc.hour + (utc.minute >= 30)  # the hour in which most of it lies
        return (at - self.hours + first + np.arange(count)) % WEEK


def threshold(alerts: Counts) -> int:
    """An hour with more alerts than this is unusual."""
    if len(alerts) == 0:
        return FEWEST
    return max(FEWEST, int(np.quantile(alerts, USUAL, method="higher")))
