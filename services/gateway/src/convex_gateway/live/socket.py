"""One connection, as its workspace's feed sees it."""

from __future__ import annotations

from typing import Final

from convex_common.feed import position_frame
from convex_gateway.live import protocol
from convex_gateway.live.closing import CloseCode
from convex_gateway.live.entry import Entry
from convex_gateway.live.frames import text_frame
from convex_gateway.live.interests import Interests
from convex_gateway.live.wire import Wire

MAX_BACKLOG: Final = 1 << 20
STALE: Final = text_frame(protocol.error("stale", "the store is away: what is shown may be out of date"))


class Socket:
    """Gets each entry that it wants once and in order: `cursor` is the last offset that it is done with.

    While it is not `live` it is being brought up to date by its own task, and the feed's fan-out passes it by. There
    are thousands, so each is as small as can be: `__slots__`, and nothing that is made before it is needed.
    """

    __slots__ = ("client_id", "cursor", "interests", "live", "told", "told_stale", "user_id", "wire")

    def __init__(self, wire: Wire) -> None:
        self.client_id = ""
        self.user_id = ""
        self.wire = wire
        self.interests = Interests()
        self.live = False
        self.cursor = 0
        self.told = 0
        self.told_stale = False

    @property
    def max_backlog(self) -> int:
        """Bytes that may wait for the peer, beyond what the transport's high-water mark lets pass."""
        return MAX_BACKLOG

    def send(self, frame: bytes) -> bool:
        """Write an encoded frame; a socket with too much waiting is closed instead, so that it delays nobody."""
        wire = self.wire
        if wire.closing:
            return False
        if wire.behind_since is not None and wire.backlog > self.max_backlog:
            self.close(CloseCode.SLOW_CONSUMER, "reading too slowly: come back and resume")
            return False
        wire.write(frame)
        return True

    def deliver(self, entry: Entry, frame: bytes) -> bool:
        """Write a live entry, encoded as `frame`, if the socket wants it and has not got it; whether it was written."""
        if not self.live or entry.offset <= self.cursor or not self.interests.wants(entry.framework_id, entry.offset):
            return False
        if not self.send(frame):
            return False
        self.cursor = entry.offset
        return True

    def tell_position(self, position: int) -> bool:
        """Tell it where the feed stands, where its frameworks' entries have not told it; whether it was told."""
        if not self.live or not self.interests or None in self.interests or position <= max(self.cursor, self.told):
            return False
        self.told = position
        return self.send(text_frame(position_frame(position)))

    def tell_stale(self) -> bool:
        """Tell it, once, that the store is away."""
        if self.told_stale:
            return False
        self.told_stale = True
        return self.send(STALE)

    def tell_fresh(self, position: int) -> bool:
        """Tell it that the store is back and it has everything up to here; only where it had been told otherwise."""
        if not self.told_stale or not self.live:
            return False
        self.told_stale = False
        self.told = max(self.told, position)
        return self.send(text_frame(position_frame(position)))

    def close(self, code: CloseCode, reason: str) -> None:
        """Begin to close it, once."""
        if not self.wire.closing:
            self.wire.close(code, reason)
