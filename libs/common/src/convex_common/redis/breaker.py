"""A breaker: what keeps failing is left alone for a while."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Breaker:
    """Open after `failures` in a row; then one trial per `pause` seconds, until one succeeds. Thread-safe.

    It logs one warning when it opens and one line when it closes, so that callers need not.
    """

    def __init__(
        self, what: str, *, failures: int = 3, pause: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._what = what
        self._limit = failures
        self._pause = pause
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._next_trial = 0.0

    @property
    def is_open(self) -> bool:
        """Whether calls are held back, but for trials."""
        return self._failures >= self._limit

    def allows(self) -> bool:
        """Whether to try now; while open, it says yes once per pause."""
        if not self.is_open:
            return True
        with self._lock:
            now = self._clock()
            if self.is_open and now < self._next_trial:
                return False
            self._next_trial = now + self._pause
            return True

    def succeeded(self) -> None:
        """A call went well: closed again."""
        with self._lock:
            was_open, self._failures = self.is_open, 0
        if was_open:
            log.info("%s: works again", self._what)

    def failed(self, error: object) -> None:
        """A call went wrong."""
        with self._lock:
            was_open = self.is_open
            self._failures += 1
            self._next_trial = self._clock() + self._pause
            opens = self.is_open and not was_open
        if opens:
            log.warning(
                "%s: failed %d times, tried once per %g s from now on: %s", self._what, self._limit, self._pause, error
            )
