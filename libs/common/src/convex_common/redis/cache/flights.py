"""Single flight: however many ask for the same thing at once, it is loaded once, and nobody gets what is too old."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Flights(Generic[T]):
    """Loads under way, by key.

    Who comes while one is under way must not take its result unseen, since it may have begun before a change that he
    knows of. He waits for it, and takes it only where it is `good`; otherwise all who waited share the next one.
    """

    def __init__(self) -> None:
        self._under_way: dict[Hashable, asyncio.Task[T]] = {}

    async def shared(self, key: Hashable, load: Callable[[], Awaitable[T]], good: Callable[[T], bool]) -> T:
        """What `load` gives, or what somebody else's load gave that began after this call or is good."""
        task = self._under_way.get(key)
        if task is not None:
            await asyncio.wait({task})
            if not task.cancelled() and task.exception() is None and good(task.result()):
                return task.result()
            task = self._under_way.get(key)
        if task is None:
            task = asyncio.ensure_future(load())
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(task)

    def _landed(self, key: Hashable, task: asyncio.Task[T]) -> None:
        del self._under_way[key]
        if not task.cancelled():
            task.exception()  # looked at, also where everybody who asked has gone
