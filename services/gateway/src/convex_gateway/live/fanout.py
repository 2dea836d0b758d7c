"""Writes what a workspace's sockets are to get, one round after the other, without holding up the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from uuid import UUID

from convex_gateway.live.entry import Entry
from convex_gateway.live.frames import text_frame
from convex_gateway.live.socket import Socket
from convex_gateway.live.spans import is_traced, socket_writes

log = logging.getLogger(__name__)

SLICE: Final = 256
"""Sockets that are written to before the event loop turns: what they are written goes to the kernel as it turns."""
SLICE_BYTES: Final = 2 << 20
BATCH_BYTES: Final = 32 << 10
"""Of changes that wait for their turn together and are told in one write."""
_LARGE: Final = SLICE_BYTES // SLICE

Audience: TypeAlias = Callable[[Collection[UUID]], Collection[Socket]]
"""Who follows the workspace or any of these frameworks."""


@dataclass(frozen=True, slots=True)
class Round:
    """One thing to tell: `audience` is asked when its turn has come, `tell` says whether a socket was written to."""

    audience: Callable[[], Collection[Socket]]
    tell: Callable[[Socket], bool]
    size: int = 0
    """Of what is written to each, in bytes, where that can be large."""


class Batch:
    """Changes that follow on one another: a run for who wants all of them, one by one for who wants some."""

    __slots__ = ("_traced", "changes", "size")

    def __init__(self, entry: Entry) -> None:
        frame = text_frame(entry.frame)
        self._traced = is_traced(entry)
        self.changes = [(entry, frame)]
        self.size = len(frame)

    def takes(self, entry: Entry) -> bool:
        """Whether one more has room, which is then in it. A traced one is alone, so that its span says what it took."""
        if self._traced or self.size + len(entry.frame) > BATCH_BYTES or is_traced(entry):
            return False
        frame = text_frame(entry.frame)
        self.changes.append((entry, frame))
        self.size += len(frame)
        return True

    def frameworks(self) -> set[UUID]:
        """Whose changes they are."""
        return {entry.framework_id for entry, _ in self.changes}

    def tell(self, sockets: Sequence[Socket]) -> int:
        """Write to each what it wants of them; how many frames that were. No fault of one socket ends it.

        Most sockets follow the whole workspace and keep up: to those it is one write, behind a few comparisons.
        """
        changes = self.changes
        run = b"".join(frame for _, frame in changes) if len(changes) > 1 else changes[0][1]
        before, last, number, sent = changes[0][0].offset - 1, changes[-1][0].offset, len(changes), 0
        for socket in sockets:
            try:
                if not socket.live:
                    continue
                flow, whole = socket.wire.flow, socket.interests.whole
                if flow is not None and whole is not None and whole <= before and socket.cursor <= before:
                    flow.write(run)
                    socket.cursor = last
                    sent += number
                else:
                    for entry, frame in changes:
                        sent += socket.deliver(entry, frame)
            except Exception:
                log.exception("live feed: a socket could not be written to")
        return sent


class FanOut:
    """Rounds in the order in which they were pushed. `offset` is that of the last change that all were told."""

    def __init__(self, offset: int, audience: Audience, count_sent: Callable[[int], None]) -> None:
        self.offset = offset
        self._audience = audience
        self._count_sent = count_sent
        self._waiting: deque[Round | Batch] = deque()
        self._running: asyncio.Task[None] | None = None

    def push(self, told: Round) -> None:
        """Tell this after everything that was pushed before."""
        self._append(told)

    def change(self, entry: Entry) -> None:
        """Tell everybody who wants it, with the changes before it where their turn has not come."""
        before = self._waiting[-1] if self._waiting else None
        if not isinstance(before, Batch) or not before.takes(entry):
            self._append(Batch(entry))

    def stop(self) -> None:
        """Tell nothing more."""
        self._waiting.clear()
        if self._running:
            self._running.cancel()

    def _append(self, told: Round | Batch) -> None:
        self._waiting.append(told)
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        room = SLICE
        while self._waiting:
            told = self._waiting.popleft()
            if isinstance(told, Batch):
                room = await self._changes(told, room)
            else:
                room = await self._in_slices(tuple(told.audience()), told.size, _each(told.tell), room)

    async def _changes(self, batch: Batch, room: int) -> int:
        audience, last = tuple(self._audience(batch.frameworks())), batch.changes[-1][0]
        writes = socket_writes(last, len(audience))
        if writes is None:
            room = await self._in_slices(audience, batch.size, batch.tell, room)
        else:
            entry, frame = batch.changes[0]
            tell = _each(writes.timed(lambda socket: socket.deliver(entry, frame)))
            room = await self._in_slices(audience, batch.size, lambda part: writes.count(tell(part)), room)
            writes.end()
        self.offset = last.offset
        return room

    async def _in_slices(
        self, audience: Sequence[Socket], size: int, tell: Callable[[Sequence[Socket]], int], room: int
    ) -> int:
        """Tell all, and let the loop turn in between; `room` is what is left of the slice that is begun. The same
        afterwards."""
        weight, at, sent = max(1, size // _LARGE), 0, 0
        while at < len(audience):
            if room < weight and room < SLICE:
                await asyncio.sleep(0)
                room = SLICE
            part = audience[at : at + max(1, room // weight)]
            sent += tell(part)
            at += len(part)
            room -= weight * len(part)
        self._count_sent(sent)
        return room


def _each(tell: Callable[[Socket], bool]) -> Callable[[Sequence[Socket]], int]:
    """One after the other, where a fault of one is no other's."""

    def told(sockets: Sequence[Socket]) -> int:
        sent = 0
        for socket in sockets:
            try:
                sent += tell(socket)
            except Exception:
                log.exception("live feed: a socket could not be written to")
        return sent

    return told
