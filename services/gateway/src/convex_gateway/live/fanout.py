"""Writes what a workspace's sockets are to get, one round after the other, without holding up the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from convex_gateway.live.entry import Entry
from convex_gateway.live.socket import Socket
from convex_gateway.live.spans import socket_writes

log = logging.getLogger(__name__)

_YIELD_EVERY: Final = 256


@dataclass(frozen=True, slots=True)
class Round:
    """One thing to tell: `audience` is asked when its turn has come, `tell` says whether a socket was written to."""

    audience: Callable[[], Collection[Socket]]
    tell: Callable[[Socket], bool]
    entry: Entry | None = None


class FanOut:
    """Rounds in the order in which they were pushed. `offset` is that of the last complete round of an entry."""

    def __init__(self, offset: int, count_sent: Callable[[int], None]) -> None:
        self.offset = offset
        self._count_sent = count_sent
        self._rounds: deque[Round] = deque()
        self._running: asyncio.Task[None] | None = None

    def push(self, told: Round) -> None:
        """Tell this after everything that was pushed before."""
        self._rounds.append(told)
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())

    def stop(self) -> None:
        """Tell nothing more."""
        self._rounds.clear()
        if self._running:
            self._running.cancel()

    async def _run(self) -> None:
        visited = 0
        while self._rounds:
            told = self._rounds.popleft()
            sent, audience = 0, tuple(told.audience())
            writes = socket_writes(told.entry, len(audience))
            tell = told.tell if writes is None else writes.timed(told.tell)
            for socket in audience:
                try:
                    sent += tell(socket)
                except Exception:
                    log.exception("live feed: a socket could not be written to")
                visited += 1
                if visited % _YIELD_EVERY == 0:
                    await asyncio.sleep(0)
            if told.entry is not None:
                self.offset = told.entry.offset
            if writes is not None:
                writes.end(sent)
            self._count_sent(sent)
