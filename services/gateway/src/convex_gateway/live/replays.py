"""What a client missed: out of the ring where it was away for a moment, out of the log where it was away for long."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from convex_gateway.live.entry import Entry
from convex_gateway.live.history import History
from convex_gateway.live.interests import Scope
from convex_gateway.live.ring import Ring

MAX_REPLAYED: Final = 10_000
MAX_SCANNED: Final = 100_000
"""Offsets of a workspace that are looked through for the entries of one framework."""


@dataclass(frozen=True, slots=True)
class Replay:
    """All that was missed, in order; or `recovered` false and nothing, because it is too much or too old."""

    recovered: bool
    entries: list[Entry]


_TOO_OLD: Final = Replay(False, [])


class Replays:
    """Replays of one workspace. One read of the log at a time: a thousand clients that come back want much the same."""

    def __init__(self, workspace_id: UUID, history: History, ring: Ring, *, max_replayed: int = MAX_REPLAYED) -> None:
        self._workspace_id = workspace_id
        self._history = history
        self._ring = ring
        self._max = max_replayed
        self._reading = asyncio.Lock()

    async def missed(self, scope: Scope, after: int, upto: int) -> Replay:
        """The scope's entries with `after` < offset ≤ `upto`. StoreUnavailable."""
        if after >= upto:
            return Replay(True, [])
        entries = self._ring.between(after, upto)
        if entries is None:
            async with self._reading:
                entries = self._ring.between(after, upto)
                if entries is None and (scope is None or upto - after <= self._ring.max_entries):
                    entries = await self._whole(after, upto)
                if entries is None:
                    return await self._of_framework(scope, after, upto) if scope else _TOO_OLD
        if len(entries) != upto - after or not self._history.within_term(entries[0]):
            return _TOO_OLD
        wanted = entries if scope is None else [entry for entry in entries if entry.framework_id == scope]
        return Replay(True, wanted) if len(wanted) <= self._max else _TOO_OLD

    async def following(self, after: int, upto: int) -> list[Entry]:
        """Every entry with `after` < offset ≤ `upto`, as far as the log has them. StoreUnavailable."""
        entries = self._ring.between(after, upto)
        return await self._history.between(self._workspace_id, after, upto) if entries is None else entries

    async def _whole(self, after: int, upto: int) -> list[Entry] | None:
        if upto - after > self._max:
            return None
        entries = await self._history.between(self._workspace_id, after, upto)
        self._ring.prepend(entries)
        return entries

    async def _of_framework(self, framework_id: UUID, after: int, upto: int) -> Replay:
        if upto - after > MAX_SCANNED or not await self._history.is_kept(self._workspace_id, after + 1):
            return _TOO_OLD
        entries = await self._history.of_framework(self._workspace_id, framework_id, after, upto, self._max + 1)
        return Replay(True, entries) if len(entries) <= self._max else _TOO_OLD
