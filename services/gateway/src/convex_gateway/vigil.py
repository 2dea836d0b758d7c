"""A gateway that nobody calls knows nothing of its stores: it asks those that have been silent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from convex_common.stores import StoreWatch

log = logging.getLogger(__name__)

EVERY: Final = 10.0


class Vigil:
    """Asks each store that no call has gone to for ten seconds; where there is work it never asks."""

    def __init__(
        self, questions: Mapping[StoreWatch, Callable[[], Awaitable[object]]], *, every: float = EVERY
    ) -> None:
        self._questions = questions
        self._every = every
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start asking."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ask no more; harmless when it never started."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            silent = [ask for watch, ask in self._questions.items() if watch.silent_for(self._every)]
            for answer in await asyncio.gather(*(ask() for ask in silent), return_exceptions=True):
                if isinstance(answer, Exception):  # the task must outlive whatever it was
                    log.error("a store could not be asked", exc_info=answer)
            await asyncio.sleep(self._every)
