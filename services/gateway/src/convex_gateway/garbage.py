"""When the garbage collector looks at what: never again at what stays, so that no full collection stops the feed.

Ten thousand open sockets are a hundred thousand objects that a full collection walks through and finds nothing among.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Final

EVERY: Final = 2.0
WAVE: Final = 500
"""So many more sockets are worth a collection; fewer than that come and go."""

YOUNG: Final = 10_000
"""New objects before the young are looked through. Python's 700 are what two dozen connections make, and they stay:
while thousands came, looking took 4 % of their CPU. What goes by its reference count waits for nothing."""


class Garbage:
    """Freezes what start-up made, then what a wave of connections made once it has settled, and thaws when it has gone.

    What is frozen still goes by its reference count. Only cycles stay: until there are half as many sockets as were
    frozen, then all of it is looked at once more.
    """

    def __init__(self, open_sockets: Callable[[], int]) -> None:
        self._open_sockets = open_sockets
        self._frozen = 0
        self._before = 0
        self._thresholds = gc.get_threshold()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Freeze what there is, and look after what comes."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG, *self._thresholds[1:])
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Thaw, and look as Python does."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        gc.set_threshold(*self._thresholds)
        gc.unfreeze()

    def look(self) -> None:
        """Freeze or thaw, if it is time."""
        count = self._open_sockets()
        settled = abs(count - self._before) <= WAVE // 10
        self._before = count
        if settled and count >= self._frozen + max(WAVE, self._frozen // 4):
            self._freeze(count)
        elif count + WAVE <= self._frozen and count * 2 <= self._frozen:
            gc.unfreeze()
            self._freeze(count)

    def _freeze(self, count: int) -> None:
        gc.collect()
        gc.freeze()
        self._frozen = count

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            self.look()
