"""Permits that this process holds in advance of one caller, so that few requests ask Redis. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

LEASE_SECONDS: Final = 1.0
"""How long they are held; what is left of them then is lost to the caller."""

AHEAD: Final = 0.5
"""For how many seconds to have some in advance."""

PATIENCE: Final = 0.005
PATIENCE_AT_LIMIT: Final = 0.25
AT_LIMIT_SECONDS: Final = 10.0
"""For how long after a refusal a caller counts as one at its limit."""

SHARE: Final = 0.02
"""The most that is held, in seconds' worth of the caller's rate: what a caller may have beyond it at any time."""


@dataclass(slots=True)
class Permits:
    """Permits of one caller for one kind of request. Times in seconds of any clock that never goes back."""

    most: int
    """How many may be held: a share of the rate."""
    most_owed: int
    """A second's worth: who was served while Redis was away is not asked to pay for all of it afterwards."""
    held: int = 0
    until: float = 0.0
    used: int = 0
    """Since they were last refilled: what the next ones will want."""
    refilled_at: float = 0.0
    granted: int = 0
    owed: int = 0
    """Used without having been granted, since the answer was late or lost: to be taken with the next grant."""
    refused_until: float = 0.0
    tightest: int = 0
    """Which of the caller's policies refused last."""

    def take(self, cost: int, now: float) -> bool:
        """Whether it is covered by what is held."""
        if self.held < cost or now >= self.until:
            return False
        self.held -= cost
        self.used += cost
        return True

    def refusal(self, now: float) -> float:
        """Seconds for which the answer is known to be no, without asking; 0 where it is not.

        A request that takes many permits would never get them if smaller ones might go on in the meantime.
        """
        return max(0.0, self.refused_until - now)

    def owe(self, cost: int) -> None:
        """They were used without having been granted."""
        self.owed = min(self.owed + cost, self.most_owed)

    def patience(self, now: float) -> float:
        """Seconds that a request may wait for a grant: hardly any, unless the caller is at its limit anyway."""
        return PATIENCE_AT_LIMIT if self.refused_until and now < self.refused_until + AT_LIMIT_SECONDS else PATIENCE

    @property
    def is_low(self) -> bool:
        """Whether to refill before the next request has to wait for it."""
        return self.granted > 1 and self.held * 2 < self.granted

    def missing(self, cost: int, now: float) -> int:
        """How many this cost takes beyond what is held."""
        return cost - self.held if now < self.until else cost

    def wanted(self, need: int, now: float) -> int:
        """How many to ask for: what half a second takes at the pace of late, within bounds."""
        pace = self.used / max(now - self.refilled_at, 1e-3)
        return max(need, min(self.most, math.ceil(pace * AHEAD)))

    def refill(self, granted: int, now: float) -> None:
        """More of them; what was left of older ones that have run out is lost."""
        self.held = granted + (self.held if now < self.until else 0)
        self.granted = granted
        self.used = 0
        self.refilled_at = now
        self.until = now + LEASE_SECONDS

    def refuse(self, wait: float, tightest: int, now: float) -> None:
        """There are none before `wait` is over."""
        self.refused_until, self.tightest = now + wait, tightest


def permits_of(per_second: float) -> Permits:
    """None yet, of a caller with this rate."""
    return Permits(most=max(1, int(per_second * SHARE)), most_owed=max(1, int(per_second)))
