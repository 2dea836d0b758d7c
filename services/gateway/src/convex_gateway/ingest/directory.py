"""What a workspace's ids stand for, remembered for seconds and asked for once by all who want it at the same time."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from typing import Final, Generic, TypeVar

from convex_common.redis.cache.counts import CacheCounts

FRESH_SECONDS: Final = 5.0

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Load = Callable[[uuid.UUID, Collection[K]], Awaitable[Mapping[K, V]]]


class Directory(Generic[K, V]):
    """Finds values by workspace and key. Only what was found, and is `lasting`, is remembered, the latest 100,000.

    So what another gateway has just made is found at once, and what it has changed is seen after five seconds.
    """

    def __init__(
        self,
        load: Load[K, V],
        *,
        counts: CacheCounts,
        lasting: Callable[[V], bool] = lambda _: True,
        clock: Callable[[], float] = time.monotonic,
        remembered: int = 100_000,
    ) -> None:
        self._load = load
        self._counts = counts
        self._lasting = lasting
        self._clock = clock
        self._remembered = remembered
        self._known: OrderedDict[tuple[uuid.UUID, K], tuple[V, float]] = OrderedDict()
        self._asked: dict[tuple[uuid.UUID, K], asyncio.Task[Mapping[K, V]]] = {}

    async def find(self, workspace_id: uuid.UUID, keys: Collection[K]) -> Mapping[K, V]:
        """The values of those keys that there are. StoreUnavailable where some have to be asked for and cannot be."""
        now = self._clock()
        found: dict[K, V] = {}
        missing: list[K] = []
        for key in keys:
            known = self._known.get((workspace_id, key))
            if known is not None and now < known[1]:
                found[key] = known[0]
            else:
                missing.append(key)
        if found:
            self._counts.hit(workspace_id, len(found))
        if missing:
            self._counts.miss(workspace_id, len(missing))
            found.update(await self._asked_for(workspace_id, missing))
        return found

    async def _asked_for(self, workspace_id: uuid.UUID, keys: Collection[K]) -> Mapping[K, V]:
        """Join who is asking already; what they do not find may have been made since, so ask for that again."""
        joined = {task for key in keys if (task := self._asked.get((workspace_id, key)))}
        found: dict[K, V] = {}
        for task in joined:
            found.update(await asyncio.shield(task))
        missing = [key for key in keys if key not in found]
        if missing:
            task = asyncio.create_task(self._ask(workspace_id, missing))
            for key in missing:
                self._asked[workspace_id, key] = task
            task.add_done_callback(lambda done: self._answered(workspace_id, missing, done))
            found.update(await asyncio.shield(task))
        return {key: found[key] for key in keys if key in found}

    async def _ask(self, workspace_id: uuid.UUID, keys: Collection[K]) -> Mapping[K, V]:
        asked_at = self._clock()
        loaded = await self._load(workspace_id, keys)
        for key, value in loaded.items():
            if self._lasting(value):
                self._known[workspace_id, key] = (value, asked_at + FRESH_SECONDS)
                self._known.move_to_end((workspace_id, key))
            else:
                self._known.pop((workspace_id, key), None)
        while len(self._known) > self._remembered:
            self._known.popitem(last=False)
        return loaded

    def _answered(self, workspace_id: uuid.UUID, keys: Collection[K], task: asyncio.Task[Mapping[K, V]]) -> None:
        for key in keys:
            if self._asked.get((workspace_id, key)) is task:
                del self._asked[workspace_id, key]
        if not task.cancelled():
            task.exception()  # everybody who asked may have left
