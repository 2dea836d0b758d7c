"""Puts a workspace's feed in order: frames come in crossed, repeated or not at all, and go out by offset, once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from convex_gateway.live.entry import Entry

MAX_AHEAD: Final = 10_000
"""Entries kept while an earlier one is missing; what is further ahead is read from the log when its turn comes."""


class Standing(StrEnum):
    """How the log's position compares with what was handed out."""

    SAME_EPOCH = "same_epoch"
    EPOCH_CHANGED = "epoch_changed"
    WENT_BACK = "went_back"


@dataclass(frozen=True, slots=True)
class Gap:
    """Offsets that are known to be committed and have not come: both ends included."""

    first: int
    last: int


class Ordering:
    """The next expected offset of one epoch, and what came too early. No clock, no I/O."""

    def __init__(self, epoch: UUID, position: int, *, max_ahead: int = MAX_AHEAD) -> None:
        self.epoch = epoch
        self._position = position
        self._known = position
        self._early: dict[int, Entry] = {}
        self._max_ahead = max_ahead
        self.lost = 0

    @property
    def position(self) -> int:
        """The last offset that was handed out."""
        return self._position

    @property
    def known(self) -> int:
        """The last offset that is known to be committed."""
        return self._known

    def offer(self, entry: Entry) -> list[Entry]:
        """Take one entry; return those whose turn has come, in order."""
        if entry.offset <= self._position:
            return []
        self._known = max(self._known, entry.offset)
        if entry.offset == self._position + 1 or len(self._early) < self._max_ahead:
            self._early.setdefault(entry.offset, entry)
        return self._due()

    def learn(self, epoch: UUID, position: int, *, seen_before: int) -> Standing:
        """Take the log's position; `seen_before` is what was known when the question went out."""
        if epoch != self.epoch:
            return Standing.EPOCH_CHANGED
        if position < seen_before:
            return Standing.WENT_BACK
        self._known = max(self._known, position)
        return Standing.SAME_EPOCH

    def gap(self) -> Gap | None:
        """The first run of offsets that is missing."""
        if self._known == self._position:
            return None
        last = min(self._early, default=self._known + 1) - 1
        return Gap(self._position + 1, last)

    def fill(self, gap: Gap, entries: Iterable[Entry]) -> list[Entry]:
        """Take what the log has of a gap; what it does not have is counted as lost and passed over."""
        for entry in entries:
            if entry.offset > self._position:
                self._early.setdefault(entry.offset, entry)
        due: list[Entry] = []
        for offset in range(self._position + 1, gap.last + 1):
            entry_or_none = self._early.pop(offset, None)
            if entry_or_none is None:
                self.lost += 1
            else:
                due.append(entry_or_none)
        self._position = max(self._position, gap.last)
        self._known = max(self._known, self._position)
        return due + self._due()

    def _due(self) -> list[Entry]:
        due: list[Entry] = []
        while (entry := self._early.pop(self._position + 1, None)) is not None:
            self._position = entry.offset
            due.append(entry)
        return due
