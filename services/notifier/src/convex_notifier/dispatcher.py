"""Claims what is due for the threads that are free, and keeps them busy."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from convex_common.errors import StoreUnavailable
from convex_notifier.deliveries import Claim, Loaded

log = logging.getLogger(__name__)

FIRST_PAUSE, LAST_PAUSE = 0.1, 2.0
GATHER: Final = 0.005
"""Seconds that a free thread waits at most until a third of them are: a claim for one costs as much as for ten."""


class Dispatcher:
    """One thread that claims, and threads that carry out. Nothing is claimed that no thread is free for.

    It claims until nothing is due, then sleeps a second, or less: it is woken by a hint, and by what was saved, since
    a place at its target is free then. No error ends a thread.
    """

    def __init__(
        self,
        take: Callable[[int], Sequence[Loaded]],
        handle: Callable[[Loaded], None],
        give_back: Callable[[Sequence[Claim]], None],
        *,
        threads: int,
        every: float = 1.0,
    ) -> None:
        self._take = take
        self._handle = handle
        self._give_back = give_back
        self._every = every
        self._size = threads
        self._lock = threading.Lock()
        self._freed = threading.Condition(self._lock)
        self._woken = threading.Condition(self._lock)
        self._free = 0
        self._news = 0
        self._stopping = False
        self._work: queue.SimpleQueue[Loaded] = queue.SimpleQueue()
        self._claimer = threading.Thread(target=self._run, name="claimer", daemon=True)
        self.healthy = threading.Event()

    def start(self) -> None:
        """Start every thread."""
        for number in range(self._size):
            threading.Thread(target=self._carry_out, name=f"delivery-{number}", daemon=True).start()
        self._claimer.start()

    def wake(self) -> None:
        """Something is due, or a target has a place."""
        with self._lock:
            self._news += 1
            self._woken.notify()

    def is_alive(self) -> bool:
        """Whether the claiming thread runs."""
        return self._claimer.is_alive()

    def stop(self, timeout: float) -> bool:
        """Claim no more, give back what was not begun, let attempts finish; whether they did in time."""
        deadline = time.monotonic() + timeout
        with self._lock:
            self._stopping = True
            self._freed.notify_all()
            self._woken.notify_all()
        self._claimer.join(timeout)
        with self._lock:
            return self._freed.wait_for(lambda: self._free == self._size, max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while (free := self._await_free()) and not self._stopping:
            seen = self._news
            try:
                due = self._take(free)
            except Exception as error:  # whatever it was: the rows are still there, and the thread goes on
                self._tell(error)
                self._sleep(pause)
                pause = min(pause * 2, LAST_PAUSE)
                continue
            self.healthy.set()
            pause = FIRST_PAUSE
            if due:
                self._hand_out(due)
            else:
                self._sleep(self._every, unless_after=seen)

    def _await_free(self) -> int:
        with self._lock:
            self._freed.wait_for(lambda: self._free or self._stopping)
            self._freed.wait_for(lambda: self._enough() or self._stopping, GATHER)
            return self._free

    def _enough(self) -> bool:
        return 3 * self._free >= self._size

    def _sleep(self, seconds: float, unless_after: int | None = None) -> None:
        with self._lock:
            self._woken.wait_for(
                lambda: self._stopping or (unless_after is not None and self._news != unless_after), seconds
            )

    def _hand_out(self, due: Sequence[Loaded]) -> None:
        with self._lock:
            stopping = self._stopping
            if not stopping:
                self._free -= len(due)
        if not stopping:
            for loaded in due:
                self._work.put(loaded)
            return
        try:
            self._give_back([loaded.claim for loaded in due])
        except StoreUnavailable as error:
            log.warning("claims not given back, their leases will run out: %s", error)

    def _carry_out(self) -> None:
        while True:
            with self._lock:
                self._free += 1
                if self._free == 1 or self._enough():
                    self._freed.notify_all()
            loaded = self._work.get()
            try:
                self._handle(loaded)
            except Exception:
                log.exception("a delivery failed in a way that was not foreseen; its lease's end brings it back")

    def _tell(self, error: Exception) -> None:
        if isinstance(error, StoreUnavailable):
            if self.healthy.is_set():
                log.warning("deliveries wait: %s", error)
        else:
            log.exception("claiming failed in a way that was not foreseen; it is tried again")
        self.healthy.clear()
