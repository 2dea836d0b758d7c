"""A socket's subscribing: told where it stands, replayed what it missed, then live, each entry once and in order."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from convex_common.errors import StoreUnavailable
from convex_gateway.live import protocol
from convex_gateway.live.closing import CloseCode
from convex_gateway.live.entry import Entry
from convex_gateway.live.feed import WorkspaceFeed
from convex_gateway.live.frames import text_frame
from convex_gateway.live.frameworks import Frameworks
from convex_gateway.live.interests import Interests, Scope
from convex_gateway.live.protocol import Since, Subscribe, Unsubscribe
from convex_gateway.live.replays import Missed, Part
from convex_gateway.live.socket import Socket

MAX_SUBSCRIPTIONS: Final = 1_000
MAX_WAITING: Final = 1_000
_RETRY: Final = 0.5
_WRITE_BYTES: Final = 1 << 16

log = logging.getLogger(__name__)

Errand: TypeAlias = Subscribe | Unsubscribe


def at_once(socket: Socket, feed: WorkspaceFeed, asked: Subscribe) -> bool:
    """Subscribe a socket that has nothing yet to the whole workspace, where nothing has to be looked up or replayed.

    So most connections begin. False where it takes more than that, which `Subscriptions` does.
    """
    if asked.framework_id is not None or socket.interests or socket.told_stale:
        return False
    if feed.stale or not feed.started.is_set():
        return False
    epoch, position, since = feed.epoch, feed.position, asked.since
    if since is not None and (since.epoch != epoch or since.offset != position):
        return False
    socket.cursor = socket.told = position
    _enlist(socket, feed, None, position)
    socket.live = True
    if socket.send(feed.subscribed):
        feed.traffic.sent()
    return True


def _enlist(socket: Socket, feed: WorkspaceFeed, scope: Scope, after: int) -> None:
    """Before the client is told: a client that is too slow for that is closed, and then nothing of it may stay."""
    if socket.interests.add(scope, after):
        feed.enlist(socket, scope)
        feed.traffic.subscriptions(+1)


class Subscriptions:
    """Works through a socket's requests one by one, beside its conversation: a replay holds up no ping.

    While one is under way the socket is not live: the feed's fan-out passes it by, and what comes meanwhile is read
    from the ring afterwards. So nothing is kept per socket, and a slow reader is written to only as fast as it reads.
    `refresh` compares positions with PostgreSQL now; `idle` hears that nothing is left to do, and then no more of it
    is needed.
    """

    __slots__ = ("_errands", "_feed", "_frameworks", "_idle", "_refresh", "_running", "_socket", "_traffic")

    def __init__(
        self,
        socket: Socket,
        feed: WorkspaceFeed,
        frameworks: Frameworks,
        refresh: Callable[[], Awaitable[None]],
        idle: Callable[[], None],
    ) -> None:
        self._socket = socket
        self._feed = feed
        self._frameworks = frameworks
        self._refresh = refresh
        self._traffic = feed.traffic
        self._idle = idle
        self._errands: deque[Errand] = deque()
        self._running: asyncio.Task[None] | None = None

    def submit(self, errand: Errand) -> bool:
        """Do this after what was asked before; False if too much is waiting already."""
        if len(self._errands) >= MAX_WAITING:
            return False
        self._errands.append(errand)
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        return True

    def end(self) -> None:
        """The socket is gone."""
        self._errands.clear()
        if self._running:
            self._running.cancel()

    async def _run(self) -> None:
        while self._errands and not self._socket.wire.closing:
            try:
                match self._errands.popleft():
                    case Subscribe(framework_id=scope, since=since):
                        await self._subscribe(scope, since)
                    case Unsubscribe(framework_id=scope):
                        self._unsubscribe(scope)
            except Exception:
                log.exception("live feed: a subscription failed")
                self._socket.close(CloseCode.INTERNAL, "something went wrong inside: come back and resume")
        self._idle()

    def _unsubscribe(self, scope: Scope) -> None:
        if self._socket.interests.remove(scope):
            self._feed.delist(self._socket, scope)
            self._traffic.subscriptions(-1)
        self._tell(protocol.unsubscribed(self._feed.workspace_id, scope))

    async def _subscribe(self, scope: Scope, since: Since | None) -> None:
        """Until it is done; while PostgreSQL is away the client is told so, and it goes on when that is back."""
        while not self._socket.wire.closing:
            try:
                if await self._attempt(scope, since):
                    break
            except StoreUnavailable:
                self._socket.tell_stale()
                await asyncio.sleep(_RETRY)
        while not self._socket.wire.closing:
            try:
                return await self._catch_up()
            except StoreUnavailable:
                self._socket.tell_stale()
                await asyncio.sleep(_RETRY)
        return None

    async def _attempt(self, scope: Scope, since: Since | None) -> bool:
        """Whether the request was answered; if not, it is to be tried again."""
        feed, socket = self._feed, self._socket
        if not await self._has_started():
            return False
        if scope is not None and not await self._frameworks.exists(feed.workspace_id, scope):
            self._tell(protocol.error("not_found", f"framework_id: there is no framework {scope} in this workspace"))
            return True
        if scope not in socket.interests and len(socket.interests) >= MAX_SUBSCRIPTIONS:
            self._tell(protocol.error("too_many", f"a socket may have {MAX_SUBSCRIPTIONS} subscriptions"))
            return True
        if since is not None and (since.epoch != feed.epoch or since.offset > feed.known):
            await self._refresh()
        epoch = feed.epoch
        self._hold()
        upto = socket.cursor
        missed, replayed = await self._missed(scope, since, upto)
        if feed.epoch != epoch:
            return False
        after = missed.after if replayed is not None else upto
        socket.told = max(after, upto)
        _enlist(socket, feed, scope, after)
        self._tell(
            protocol.subscribed(
                feed.workspace_id,
                scope,
                epoch=epoch,
                offset=socket.told,
                recovered=replayed is not None,
                replayed=replayed or 0,
            )
        )
        if replayed:
            await self._replay(missed, replayed)
        return True

    async def _has_started(self) -> bool:
        if not self._feed.started.is_set():
            if self._feed.stale:
                self._socket.tell_stale()
            try:
                async with asyncio.timeout(_RETRY):
                    await self._feed.started.wait()
            except TimeoutError:
                return False
        return True

    async def _missed(self, scope: Scope, since: Since | None, upto: int) -> tuple[Missed, int | None]:
        """What was missed, and how much that is: nothing for who names no `since`; None where it is not to be had, as
        for who comes from elsewhere."""
        missed = Missed(scope, upto if since is None else since.offset, upto, self._socket.interests.copy())
        if since is not None and (since.epoch != self._feed.epoch or since.offset > self._feed.known):
            return missed, None
        return missed, await self._feed.replays.count(missed)

    async def _replay(self, missed: Missed, announced: int) -> None:
        """Write it part by part, as fast as the client reads; whatever is away meanwhile, from where it was left."""
        socket, feed, epoch = self._socket, self._feed, self._feed.epoch
        at, written = missed.after, 0
        while at < missed.upto and not socket.wire.closing:
            try:
                part = await feed.replays.part(missed, at)
            except StoreUnavailable:
                socket.tell_stale()
                await asyncio.sleep(_RETRY)
                continue
            if feed.epoch != epoch:
                return
            at, wrote = self._write(part, missed.takes)
            written += wrote
            del part  # before the client is waited for: there may be thousands
            await self._breathe()
        if written != announced and not socket.wire.closing:
            log.error("live feed: %d entries were announced and %d are in the log", announced, written)
            socket.close(CloseCode.INTERNAL, "something went wrong inside: come back and resume")

    def _hold(self) -> None:
        """Take the socket out of the fan-out, with its cursor on the last offset that it is done with."""
        if not self._socket.interests:
            self._socket.cursor = self._feed.position
        elif self._socket.live:
            self._socket.cursor = max(self._socket.cursor, self._feed.written)
        self._socket.live = False

    async def _catch_up(self) -> None:
        """Write what came since it was held, and put it back into the fan-out."""
        socket, feed, epoch = self._socket, self._feed, self._feed.epoch
        while not socket.wire.closing and socket.interests:
            if socket.cursor >= feed.position:
                socket.live = True
                if not feed.stale:
                    socket.tell_fresh(feed.position)
                return
            part = await feed.replays.following(socket.cursor, feed.position)
            if feed.epoch != epoch:
                return
            socket.cursor, _ = self._write(part, _wanted_by(socket.interests))
            del part
            await self._breathe()

    def _write(self, part: Part, takes: Callable[[Entry], bool]) -> tuple[int, int]:
        """Write of it what is wanted, and not too much at once: the offset that is done with, and how many it was."""
        entries, upto = part
        wrote, size = 0, 0
        for entry in entries:
            if not takes(entry):
                continue
            frame = text_frame(entry.frame)
            if not self._socket.send(frame):
                break
            wrote += 1
            size += len(frame)
            if size >= _WRITE_BYTES:
                upto = entry.offset
                break
        self._traffic.sent(wrote)
        return upto, wrote

    async def _breathe(self) -> None:
        """Let the client read, and others have their turn."""
        await self._socket.wire.drained()
        await asyncio.sleep(0)

    def _tell(self, payload: bytes) -> None:
        if self._socket.send(text_frame(payload)):
            self._traffic.sent()


def _wanted_by(interests: Interests) -> Callable[[Entry], bool]:
    return lambda entry: interests.wants(entry.framework_id, entry.offset)
