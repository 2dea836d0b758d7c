"""Pages of workspaces' logs, for who was away for long: read once for all who want them, and few of them kept."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, TypeAlias
from uuid import UUID

from convex_gateway.live.entry import Entry
from convex_gateway.live.history import History

PAGE: Final = 500
"""Offsets of a page: the first has those from 1 to 500."""
MAX_BYTES: Final = 32 << 20
AT_ONCE: Final = 4
_OVERHEAD: Final = 256
"""Bytes of an entry besides its frame."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page's entries up to the offset `upto`, in order; those that the log has."""

    entries: Sequence[Entry]
    upto: int
    size: int


Log: TypeAlias = object
"""Stands for a workspace's log as long as that is the same one; another object after a restore."""

_Key: TypeAlias = tuple[Log, int]

_offset_of: Final = attrgetter("offset")


class Pages:
    """Those that were used last stay, up to `max_bytes` of all workspaces together; `at_once` are read at a time.

    Who is far behind asks for one after the other, and is to let go of each before it waits for its client: then a
    thousand clients that come back take as much memory as one.
    """

    def __init__(self, history: History, *, max_bytes: int = MAX_BYTES, at_once: int = AT_ONCE) -> None:
        self._history = history
        self._max_bytes = max_bytes
        self._kept: OrderedDict[_Key, Page] = OrderedDict()
        self._bytes = 0
        self._reading: dict[_Key, asyncio.Task[Page]] = {}
        self._turn = asyncio.Semaphore(at_once)

    async def following(self, log: Log, workspace_id: UUID, after: int, upto: int) -> tuple[Sequence[Entry], int]:
        """The entries behind `after` of the page that it is in, none behind `upto`; and the offset up to which these
        are all. `upto` has to be committed. StoreUnavailable."""
        number = after // PAGE
        end = min(upto, (number + 1) * PAGE)
        page = await self._page((log, number), workspace_id, end)
        first, last = (bisect_right(page.entries, offset, key=_offset_of) for offset in (after, end))
        return page.entries[first:last], end

    def stop(self) -> None:
        """Read nothing more."""
        for reading in self._reading.values():
            reading.cancel()

    async def _page(self, key: _Key, workspace_id: UUID, end: int) -> Page:
        """A page that reaches to `end`: kept, being read for somebody else, or read now."""
        while True:
            page = self._kept.get(key)
            if page is not None and page.upto >= end:
                self._kept.move_to_end(key)
                return page
            reading = self._reading.get(key)
            if reading is None or reading.done():  # one that is done is not waited for: nothing else would ever run
                reading = self._reading[key] = asyncio.create_task(self._read(key, workspace_id, end))
                reading.add_done_callback(lambda done: self._was_read(key, done))
            page = await asyncio.shield(reading)
            if page.upto >= end:
                return page

    async def _read(self, key: _Key, workspace_id: UUID, end: int) -> Page:
        async with self._turn:
            entries = await self._history.between(workspace_id, key[1] * PAGE, end)
        page = Page(entries, end, sum(len(entry.frame) + _OVERHEAD for entry in entries))
        self._keep(key, page)
        return page

    def _keep(self, key: _Key, page: Page) -> None:
        before = self._kept.pop(key, None)
        self._kept[key] = page
        self._bytes += page.size - (before.size if before is not None else 0)
        while self._bytes > self._max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.size

    def _was_read(self, key: _Key, reading: asyncio.Task[Page]) -> None:
        if self._reading.get(key) is reading:
            del self._reading[key]
        if not reading.cancelled():
            reading.exception()  # looked at, also where everybody who asked has gone
