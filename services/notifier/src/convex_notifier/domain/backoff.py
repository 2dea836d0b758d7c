"""How long to wait before the next attempt."""

from __future__ import annotations

from dataclasses import dataclass

ATTEMPTS = 5
"""Failures after which a delivery is quarantined until a person replays it."""

FACTOR = 4


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential with equal jitter, in seconds. With the defaults the waits are 1-2, 10-20, 40-80 and 160-320.

    The first wait is short: most failures are a restart or a closed connection. The last is long enough for a person
    to roll back a bad release.
    """

    base: float = 5.0
    longest: float = 600.0

    def wait(self, failures: int, chance: float, retry_after: float | None = None) -> float:
        """Seconds after the n-th failure, `chance` being random in [0, 1); what was asked for wins if it is longer."""
        if failures <= 1:
            own = self.base * (0.2 + 0.2 * chance)
        else:
            own = min(self.longest, self.base * FACTOR ** (failures - 1)) * (0.5 + 0.5 * chance)
        return max(own, retry_after or 0.0)
