"""A breaker for each target, shared by this process's threads."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from convex_notifier.domain.answer import Verdict
from convex_notifier.domain.breaker import Breaker, BreakerPolicy

log = logging.getLogger(__name__)

MOST: Final = 1000
"""Targets remembered before those without trouble are forgotten."""


class Breakers:
    """Asked before each attempt and told how it went. Thread-safe."""

    def __init__(self, policy: BreakerPolicy, clock: Callable[[], float] = time.monotonic) -> None:
        self._policy = policy
        self._clock = clock
        self._lock = threading.Lock()
        self._breakers: dict[str, Breaker] = {}

    def wait(self, target: str) -> float:
        """0 where an attempt may go now; else the seconds to put it off."""
        with self._lock:
            breaker = self._breakers.get(target)
            return breaker.wait(self._clock()) if breaker else 0.0

    def tell(self, target: str, verdict: Verdict) -> None:
        """How an attempt went. To reject or defer one is a success here: the target is there and answers."""
        with self._lock:
            if verdict is not Verdict.UNAVAILABLE:
                self._breakers.pop(target, None)
                return
            if len(self._breakers) >= MOST:
                self._breakers = {name: kept for name, kept in self._breakers.items() if kept.is_open}
            opened = self._breakers.setdefault(target, Breaker(self._policy)).failed(self._clock())
        if opened:
            log.warning("a target keeps failing and is left alone for a while", extra={"target": target})
