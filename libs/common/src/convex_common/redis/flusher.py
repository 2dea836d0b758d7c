"""Tells the others every few seconds what this process has measured."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol
from uuid import UUID

from convex_common.measures import Deltas, Measures
from convex_common.redis.breaker import Breaker
from convex_common.redis.measures import Batch, MeasureStore, minute_of
from convex_common.stores import UNWATCHED, Watch

log = logging.getLogger(__name__)

EVERY: Final = 5.0
_MOST_WAITING: Final = 20


class Store(Protocol):
    """Where batches go; each call may raise OSError, and a batch given twice counts once."""

    def add(self, batch: Batch) -> None: ...
    def beat(self, levels: dict[tuple[UUID, str], int]) -> None: ...
    def leave(self) -> None: ...


class Flusher:
    """A thread that adds the measures' deltas to the store every 5 seconds, and once more when it is stopped.

    What could not be added waits and is added later, to the minute it belongs to; what may have been added, since only
    the answer was lost, is sent again under its number. Of a process that is killed up to 5 seconds are missing.
    `levels` where this process has such: it then gives a sign of life each time.
    """

    def __init__(
        self,
        measures: Measures,
        store: Store,
        *,
        levels: bool = False,
        every: float = EVERY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._measures = measures
        self._store = store
        self._levels = levels
        self._every = every
        self._clock = clock
        self._breaker = Breaker("telling measures", failures=1)
        self._sequence = 0
        self._sent: Batch | None = None
        self._waiting: dict[int, Deltas] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="measures", daemon=True)

    def start(self) -> None:
        """Start the thread; needs no Redis."""
        self._thread.start()

    def stop(self, timeout: float = 3.0) -> None:
        """Add what is left, and end; harmless when it never started."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def flush(self) -> bool:
        """Add everything that was measured so far; whether all of it was added."""
        self._gather()
        try:
            while batch := self._sent or self._next():
                self._sent = batch
                self._store.add(batch)
                self._sent = None
            if self._levels:
                self._store.beat(self._measures.levels())
        except OSError as error:
            self._breaker.failed(error)
            return False
        self._breaker.succeeded()
        return True

    def _run(self) -> None:
        while not self._stopping.wait(self._every):
            self._carefully(self.flush)
        self._carefully(self.flush)
        if self._levels:
            self._carefully(self._leave)

    def _leave(self) -> None:
        try:
            self._store.leave()
        except OSError as error:
            log.info("the levels of this process count for some seconds more: %s", error)

    def _carefully(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception:  # the thread must outlive whatever it was
            log.exception("measures could not be told in a way that was not foreseen")

    def _gather(self) -> None:
        """By minute; of too many the two oldest become one, so that memory has a bound and totals lose nothing."""
        deltas = self._measures.take()
        if not deltas:
            return
        self._waiting.setdefault(minute_of(self._clock()), Deltas()).merge(deltas)
        while len(self._waiting) > _MOST_WAITING:
            oldest, second = sorted(self._waiting)[:2]
            self._waiting[second].merge(self._waiting.pop(oldest))

    def _next(self) -> Batch | None:
        if not self._waiting:
            return None
        minute = min(self._waiting)
        self._sequence += 1
        return Batch(self._sequence, minute, self._waiting.pop(minute))


def flusher_of(
    measures: Measures, cache_redis_url: str, queue_prefix: str, *, levels: bool = False, watch: Watch = UNWATCHED
) -> Flusher:
    """As each service's `main` wires it."""
    return Flusher(measures, MeasureStore(cache_redis_url, queue_prefix, watch=watch), levels=levels)
