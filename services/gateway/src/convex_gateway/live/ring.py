"""The last entries of a workspace's feed, in memory: most clients that come back were away for seconds."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Final

from convex_gateway.live.entry import Entry

MAX_ENTRIES: Final = 2_000
MAX_BYTES: Final = 4 << 20


class Ring:
    """A run of entries without gaps, bounded in number and bytes; the oldest go first."""

    def __init__(self, *, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._max_entries = max_entries
        self._max_bytes = max_bytes

    def append(self, entry: Entry) -> None:
        """Take the newest entry; one that does not follow on the last begins a new run."""
        if self._entries and entry.offset != self._entries[-1].offset + 1:
            self.clear()
        self._entries.append(entry)
        self._bytes += len(entry.frame)
        while len(self._entries) > self._max_entries or self._bytes > self._max_bytes:
            self._bytes -= len(self._entries.popleft().frame)

    def between(self, after: int, upto: int) -> list[Entry] | None:
        """The entries with `after` < offset ≤ `upto`; None where it does not hold all of them."""
        if after >= upto:
            return []
        if not self._entries or self._entries[0].offset > after + 1 or self._entries[-1].offset < upto:
            return None
        start = after + 1 - self._entries[0].offset
        return list(islice(self._entries, start, start + upto - after))

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._bytes = 0
