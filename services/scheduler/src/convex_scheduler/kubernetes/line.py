"""Whether the cluster's API is to be asked now. It remembers, and asks no clock."""

from __future__ import annotations

from typing import Final

from convex_scheduler.kubernetes.errors import ClusterAway

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0


class Line:
    """Closed for a while after a failure, longer after each further one, or for as long as the API asked for."""

    def __init__(self) -> None:
        self._failures = 0
        self._closed_until = float("-inf")

    def is_open(self, now: float) -> bool:
        """Whether a request may be made."""
        return now >= self._closed_until

    def failed(self, error: ClusterAway, now: float) -> None:
        """The API did not answer."""
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**self._failures)
        self._failures = min(self._failures + 1, 10)
        self._closed_until = now + (pause if error.retry_after is None else max(error.retry_after, FIRST_PAUSE))

    def answered(self) -> None:
        """It did."""
        self._failures = 0
        self._closed_until = float("-inf")
