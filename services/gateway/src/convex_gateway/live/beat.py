"""One heartbeat for all sockets instead of timers for each."""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol
from uuid import UUID

log = logging.getLogger(__name__)

_YIELD_EVERY: Final = 256


class Ticking(Protocol):
    """Something that looks at the clock now and then."""

    def tick(self, now: float) -> None:
        """`now` is the event loop's time."""

    def revoked(self, workspace_id: UUID, user_id: str) -> None:
        """What this user may has changed."""


class Beat:
    """Ticks everything that was added, about every `interval` seconds."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._members: set[Ticking] = set()

    def add(self, member: Ticking) -> None:
        """Tick it from now on."""
        self._members.add(member)

    def remove(self, member: Ticking) -> None:
        """Tick it no more."""
        self._members.discard(member)

    def revoked(self, workspace_id: UUID, user_id: str) -> None:
        """Tell everything."""
        for member in tuple(self._members):
            member.revoked(workspace_id, user_id)

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._interval)
            for number, member in enumerate(tuple(self._members), 1):
                try:
                    member.tick(loop.time())
                except Exception:
                    log.exception("live feed: a tick failed")
                if number % _YIELD_EVERY == 0:
                    await asyncio.sleep(0)
