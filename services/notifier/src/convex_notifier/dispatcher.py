"""Claims what is due for the threads that are free, and keeps them busy."""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence

from convex_common.errors import StoreUnavailable
from convex_notifier.deliveries import Claim

log = logging.getLogger(__name__)

SLOTS = 64
FIRST_PAUSE, LAST_PAUSE = 0.1, 2.0


class Dispatcher:
    """One thread that claims, and threads that carry out. Nothing is claimed that no thread is free for.

    It claims until nothing is due, then sleeps a second, or less: a hint wakes it, and so does a thread that becomes
    free, since its target's place is free then too. No error ends a thread.
    """

    def __init__(
        self,
        claim: Callable[[int], Sequence[Claim]],
        handle: Callable[[Claim, int], None],
        give_back: Callable[[Sequence[Claim]], None],
        *,
        threads: int,
        every: float = 1.0,
    ) -> None:
        self._claim = claim
        self._handle = handle
        self._give_back = give_back
        self._every = every
        self._size = threads
        self._changed = threading.Condition()
        self._free = 0
        self._news = 0
        self._stopping = False
        self._work: queue.SimpleQueue[Claim] = queue.SimpleQueue()
        self._claimer = threading.Thread(target=self._run, name="claimer", daemon=True)
        self.healthy = threading.Event()

    def start(self) -> None:
        """Start every thread."""
        slot = random.randrange(SLOTS)  # noqa: S311 - spreads processes over counters
        for number in range(self._size):
            name, slots = f"delivery-{number}", ((slot + number) % SLOTS,)
            threading.Thread(target=self._carry_out, args=slots, name=name, daemon=True).start()
        self._claimer.start()

    def wake(self) -> None:
        """Something is due."""
        with self._changed:
            self._news += 1
            self._changed.notify_all()

    def is_alive(self) -> bool:
        """Whether the claiming thread runs."""
        return self._claimer.is_alive()

    def stop(self, timeout: float) -> bool:
        """Claim no more, give back what was not begun, let attempts finish; whether they did in time."""
        deadline = time.monotonic() + timeout
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._claimer.join(timeout)
        with self._changed:
            return self._changed.wait_for(lambda: self._free == self._size, max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while (free := self._await_free()) and not self._stopping:
            seen = self._news
            try:
                claims = self._claim(free)
            except Exception as error:  # whatever it was: the rows are still there, and the thread goes on
                self._tell(error)
                self._sleep(pause)
                pause = min(pause * 2, LAST_PAUSE)
                continue
            self.healthy.set()
            pause = FIRST_PAUSE
            if claims:
                self._hand_out(claims)
            else:
                self._sleep(self._every, unless_after=seen)

    def _await_free(self) -> int:
        with self._changed:
            self._changed.wait_for(lambda: self._free or self._stopping)
            return self._free

    def _sleep(self, seconds: float, unless_after: int | None = None) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopping or (unless_after is not None and self._news != unless_after), seconds
            )

    def _hand_out(self, claims: Sequence[Claim]) -> None:
        with self._changed:
            stopping = self._stopping
            if not stopping:
                self._free -= len(claims)
                for claim in claims:
                    self._work.put(claim)
        if stopping:
            try:
                self._give_back(claims)
            except StoreUnavailable as error:
                log.warning("claims not given back, their leases will run out: %s", error)

    def _carry_out(self, slot: int) -> None:
        while True:
            with self._changed:
                self._free += 1
                self._news += 1
                self._changed.notify_all()
            claim = self._work.get()
            try:
                self._handle(claim, slot)
            except StoreUnavailable as error:
                log.warning("a delivery waits for its lease's end: %s", error)
            except Exception:
                log.exception("a delivery failed in a way that was not foreseen; its lease's end brings it back")

    def _tell(self, error: Exception) -> None:
        if isinstance(error, StoreUnavailable):
            if self.healthy.is_set():
                log.warning("deliveries wait: %s", error)
        else:
            log.exception("claiming failed in a way that was not foreseen; it is tried again")
        self.healthy.clear()
