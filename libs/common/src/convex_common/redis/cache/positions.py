"""Where each workspace stands by PostgreSQL's word: what a cached answer is measured against."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from convex_common.feed import LiveEvent, LiveMessage
from convex_common.ports import FeedPublisher

FRESH_SECONDS: Final = 1.0
"""For how long PostgreSQL's word is good: how long a change whose mark was lost may stay unseen."""

_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Position:
    """The feed's last offset within its epoch, and the version of each class that has one."""

    epoch: UUID
    offset: int
    versions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Known:
    position: Position
    asked_at: float
    era: int


Load = Callable[[UUID], Awaitable[Position]]


class Positions:
    """Asks at most once a second for a workspace that is read, and again when the era has changed.

    `saw` may be called from any thread; the rest belongs to the event loop.
    """

    def __init__(
        self, load: Load, *, fresh: float = FRESH_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._load = load
        self._fresh = fresh
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[UUID, _Known] = OrderedDict()
        self._asked: dict[tuple[UUID, int], asyncio.Task[Position]] = {}

    async def of(self, workspace_id: UUID, era: int) -> Position:
        """Of a second ago at most, and of this era. StoreUnavailable."""
        known = self._known.get(workspace_id)
        if known is not None and known.era == era and self._clock() < known.asked_at + self._fresh:
            return known.position
        key = (workspace_id, era)
        task = self._asked.get(key)
        if task is None:
            task = asyncio.create_task(self._ask(workspace_id, era))
            self._asked[key] = task
            task.add_done_callback(lambda done: self._answered(key, done))
        return await asyncio.shield(task)

    async def now(self, workspace_id: UUID, era: int) -> Position:
        """As it stands after this call was made. StoreUnavailable."""
        return await self._ask(workspace_id, era)

    def saw(self, workspace_id: UUID, epoch: UUID, offset: int) -> None:
        """A change is committed: whatever is older will not do any more here."""
        with self._lock:
            known = self._known.get(workspace_id)
            if known is not None and known.position.epoch == epoch and known.position.offset < offset:
                self._known[workspace_id] = replace(known, position=replace(known.position, offset=offset))

    def forget(self, workspace_id: UUID) -> None:
        """Ask again at the next occasion."""
        with self._lock:
            self._known.pop(workspace_id, None)

    async def _ask(self, workspace_id: UUID, era: int) -> Position:
        asked_at = self._clock()
        position = await self._load(workspace_id)
        with self._lock:
            before = self._known.get(workspace_id)
            if before is not None and before.position.epoch == position.epoch:
                position = replace(position, offset=max(position.offset, before.position.offset))
                if before.era == era and before.asked_at > asked_at:
                    return position  # who asked later has answered already
            self._known[workspace_id] = _Known(position, asked_at, era)
            self._known.move_to_end(workspace_id)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return position

    def _answered(self, key: tuple[UUID, int], task: asyncio.Task[Position]) -> None:
        del self._asked[key]
        if not task.cancelled():
            task.exception()  # looked at, also where everybody who asked has gone


class NotedPublisher:
    """Publishes to the live feed, and lets this process know at once what it has changed, Redis or not."""

    def __init__(self, publisher: FeedPublisher, positions: Positions) -> None:
        self._publisher = publisher
        self._positions = positions

    def publish(self, messages: Sequence[LiveMessage]) -> bool:
        """As the publisher does."""
        for message in messages:
            if isinstance(message, LiveEvent):
                self._positions.saw(message.workspace_id, message.epoch, message.offset)
        return self._publisher.publish(messages)
