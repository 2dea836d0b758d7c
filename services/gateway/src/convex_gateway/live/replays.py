"""What a client missed: out of memory where it was away for a moment, out of the log where it was away for long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from uuid import UUID

from convex_gateway.live.entry import Entry
from convex_gateway.live.history import History
from convex_gateway.live.interests import Interests, Scope
from convex_gateway.live.pages import PAGE, Log, Pages
from convex_gateway.live.ring import Ring

MAX_REPLAYED: Final = 10_000
MAX_SCANNED: Final = 100_000
"""Offsets of a workspace that are looked through for the entries of one framework."""
_OF_FRAMEWORK: Final = 100
"""Entries of one framework that are read at a time where it is far behind: nobody else wants just those."""

Part: TypeAlias = tuple[Sequence[Entry], int]
"""Entries in order, and the offset up to which they are all."""


@dataclass(frozen=True, slots=True)
class Missed:
    """What a client asks for again: a scope's entries with `after` < offset ≤ `upto`, without those that it `had`."""

    scope: Scope
    after: int
    upto: int
    had: Interests

    def takes(self, entry: Entry) -> bool:
        """Whether an entry of that run is asked for."""
        return self.scope in (None, entry.framework_id) and not self.had.wants(entry.framework_id, entry.offset)


class Replays:
    """Replays of one workspace. They are counted first, so that the client can be told, and then read part by part:
    whoever reads holds one part at a time."""

    def __init__(
        self, workspace_id: UUID, history: History, ring: Ring, pages: Pages, *, max_replayed: int = MAX_REPLAYED
    ) -> None:
        self._workspace_id = workspace_id
        self._history = history
        self._ring = ring
        self._pages = pages
        self._log: Log = object()
        self._max = max_replayed

    def forget(self) -> None:
        """The log is another one."""
        self._log = object()

    async def count(self, missed: Missed) -> int | None:
        """How many entries there are to replay; None where some are missing, or it is too much. StoreUnavailable."""
        if missed.after >= missed.upto:
            return 0
        if self._is_far(missed):
            return await self._count_of_framework(missed)
        if missed.upto - missed.after > self._max:
            return None
        found, at = 0, missed.after
        while at < missed.upto:
            entries, upto = await self.following(at, missed.upto)
            if len(entries) != upto - at or (at == missed.after and not self._history.within_term(entries[0])):
                return None
            all_of_them = missed.scope is None and not missed.had
            found += len(entries) if all_of_them else sum(map(missed.takes, entries))
            at = upto
        return found

    async def part(self, missed: Missed, after: int) -> Part:
        """Some more of it from an offset on. StoreUnavailable."""
        if missed.scope is not None and self._is_far(missed):
            entries = await self._history.of_framework(
                self._workspace_id, missed.scope, after, missed.upto, _OF_FRAMEWORK
            )
            return entries, entries[-1].offset if len(entries) == _OF_FRAMEWORK else missed.upto
        return await self.following(after, missed.upto)

    async def following(self, after: int, upto: int) -> Part:
        """Entries behind `after`, 500 at most and none behind `upto`, as far as the log has them. StoreUnavailable."""
        end = min(upto, after + PAGE)
        entries = self._ring.between(after, end)
        if entries is not None:
            return entries, end
        return await self._pages.following(self._log, self._workspace_id, after, upto)

    def _is_far(self, missed: Missed) -> bool:
        """Whether only this framework's entries are looked for, in a run that would be too long to replay."""
        return missed.scope is not None and missed.upto - missed.after > self._max

    async def _count_of_framework(self, missed: Missed) -> int | None:
        after, upto, framework_id = missed.after, missed.upto, missed.scope
        assert framework_id is not None
        if upto - after > MAX_SCANNED or not await self._history.is_kept(self._workspace_id, after + 1):
            return None
        had = missed.had.since(framework_id)
        found = await self._history.count_of_framework(
            self._workspace_id, framework_id, after, upto if had is None else min(had, upto), self._max + 1
        )
        return found if found <= self._max else None
