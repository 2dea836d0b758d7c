"""One heartbeat for all sockets instead of timers for each."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import Final, Protocol
from uuid import UUID

log = logging.getLogger(__name__)

_YIELD_EVERY: Final = 256


class Ticking(Protocol):
    """Something that looks at the clock when it is due. `slot` is the beat's to write."""

    slot: set[Ticking] | None

    def tick(self, now: float) -> float | None:
        """When to look next; None for never again. Times are the event loop's."""

    def revoked(self, workspace_id: UUID, user_id: str) -> None:
        """What this user may has changed."""


class Beat:
    """A wheel that turns every `interval` seconds and ticks only what is due, so that a socket costs little to keep.

    What is watched is ticked at every turn besides.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._slots: defaultdict[int, set[Ticking]] = defaultdict(set)
        self._watched: set[Ticking] = set()

    def at(self, member: Ticking, when: float) -> None:
        """Tick it at the first turn after `when`, and not as planned before."""
        slot = self._slots[int(when / self._interval) + 1]
        if member.slot is not slot:
            if member.slot is not None:
                member.slot.discard(member)
            slot.add(member)
            member.slot = slot

    def remove(self, member: Ticking) -> None:
        """Tick it no more."""
        self._watched.discard(member)
        if member.slot is not None:
            member.slot.discard(member)
            member.slot = None

    def watch(self, member: Ticking) -> None:
        """Tick it at every turn."""
        self._watched.add(member)

    def unwatch(self, member: Ticking) -> None:
        """Only when it is due."""
        self._watched.discard(member)

    def revoked(self, workspace_id: UUID, user_id: str) -> None:
        """Tell everything."""
        for slot in tuple(self._slots.values()):
            for member in tuple(slot):
                member.revoked(workspace_id, user_id)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            await self._turn()

    async def _turn(self) -> None:
        """Tick what is due. No member is held until the next turn: it may be gone by then."""
        loop = asyncio.get_running_loop()
        for number, member in enumerate(self._due(loop.time()), 1):
            self._tick(member, loop.time())
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)

    def _due(self, now: float) -> set[Ticking]:
        due, turn = set(self._watched), int(now / self._interval)
        for passed in [slot for slot in self._slots if slot <= turn]:
            members = self._slots.pop(passed)
            for member in members:
                member.slot = None
            due |= members
        return due

    def _tick(self, member: Ticking, now: float) -> None:
        when: float | None = now
        try:
            when = member.tick(now)
        except Exception:
            log.exception("live feed: a tick failed")
        if when is not None:
            self.at(member, when)
