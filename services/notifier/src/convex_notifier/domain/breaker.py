"""A target that keeps failing is left alone for a while."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """Opens after `failures` in a row within `within` seconds, for `pause` seconds, doubled at each failed probe."""

    failures: int = 5
    within: float = 60.0
    pause: float = 10.0
    longest: float = 30.0
    probe: float = 30.0


class Breaker:
    """closed → open → half-open, where one attempt probes. Times are seconds of any clock that only grows.

    Not thread-safe: its owner asks and tells under a lock, and forgets the whole breaker when an attempt succeeds.
    """

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._failed_at: deque[float] = deque(maxlen=policy.failures)
        self._pause = policy.pause
        self._open_until: float | None = None
        self._probe_until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether attempts are held back, but for probes."""
        return self._open_until is not None

    def wait(self, now: float) -> float:
        """0 where an attempt may go, which once the pause is over makes it the probe; else seconds to put it off."""
        if self._open_until is None:
            return 0.0
        if now < self._open_until:
            return self._open_until - now
        if now < self._probe_until:
            return min(1.0, self._policy.pause)
        self._probe_until = now + self._policy.probe
        return 0.0

    def failed(self, now: float) -> bool:
        """The target did not take an attempt; whether this opened the breaker (again)."""
        if self._open_until is not None:
            if now < self._open_until:
                return False  # an attempt that had begun before it opened
            self._pause = min(self._pause * 2, self._policy.longest)
            return self._open(now)
        self._failed_at.append(now)
        in_a_row = len(self._failed_at) == self._policy.failures
        if in_a_row and now - self._failed_at[0] <= self._policy.within:
            return self._open(now)
        return False

    def _open(self, now: float) -> bool:
        self._open_until = now + self._pause
        self._probe_until = 0.0
        return True
