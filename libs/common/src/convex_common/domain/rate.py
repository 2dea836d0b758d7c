"""How much in which time: the generic cell rate algorithm, which keeps one number a bucket and never drifts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_second` on average, and `burst` at once after a pause; both above 0."""

    per_second: float
    burst: float

    @property
    def interval(self) -> float:
        """Seconds that one permit takes to come back."""
        return 1 / self.per_second

    @property
    def tolerance(self) -> float:
        """Seconds that the whole burst takes to come back."""
        return self.burst / self.per_second


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether it may be; if not, `wait` says after how many seconds. `full_at` is the bucket from now on."""

    full_at: float
    wait: float

    @property
    def allowed(self) -> bool:
        return self.wait <= 0


def decide(rate: Rate, full_at: float, now: float, cost: float) -> Decision:
    """Take `cost` permits, or none. `full_at` is when the bucket will be full again, anything in the past if it is.

    What costs more than the burst is allowed when the bucket is full, and paid off afterwards: a large request is slow
    and not impossible.
    """
    start = max(full_at, now)
    wait = start + min(cost, rate.burst) * rate.interval - rate.tolerance - now
    if wait > 1e-9:
        return Decision(start, wait)
    return Decision(start + cost * rate.interval, 0.0)


def left(rate: Rate, full_at: float, now: float) -> float:
    """Permits that there are; below 0 while a large request is paid off."""
    return (now + rate.tolerance - max(full_at, now)) * rate.per_second
