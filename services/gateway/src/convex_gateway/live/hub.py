"""This process's part of the live feed: one Redis subscription, one position check, a feed per connected workspace."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from convex_common.errors import StoreUnavailable
from convex_common.feed import LiveRevocation
from convex_common.measures import Measures
from convex_common.metrics import Metrics
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.redis.live import AsyncLiveSubscriber
from convex_gateway.live import protocol
from convex_gateway.live.beat import Beat
from convex_gateway.live.closing import CloseCode
from convex_gateway.live.feed import WorkspaceFeed
from convex_gateway.live.frames import text_frame
from convex_gateway.live.frameworks import Frameworks
from convex_gateway.live.history import History, Position
from convex_gateway.live.pages import Pages
from convex_gateway.live.socket import Socket
from convex_gateway.live.traffic import Traffic

log = logging.getLogger(__name__)

_YIELD_EVERY: Final = 64
_DRAIN_BATCH: Final = 128
_RESTART_AFTER: Final = 1.0
_COME_BACK_EVERY_MS: Final = 2
_COME_BACK_WITHIN_MS: Final = 10_000
"""Clients of a gateway that stops come to the others at no more than 500 a second, but all within ten seconds."""


@dataclass(frozen=True)
class Timing:
    """Seconds between doings. `check` heals what no next event would; `check_alone` carries the feed without Redis."""

    check: float = 3.0
    check_alone: float = 0.25
    check_within: float = 4.0
    positions: float = 1.0
    linger: float = 30.0
    beat: float = 0.5


class Hub:
    """Start it, attach sockets, stop it. Redis and PostgreSQL may come and go meanwhile."""

    def __init__(
        self,
        database: AsyncDatabase,
        cache_redis_url: str,
        queue_prefix: str,
        metrics: Metrics,
        measures: Measures,
        *,
        forget: Callable[[UUID, str], None] = lambda _workspace_id, _user_id: None,
        timing: Timing | None = None,
        history: History | None = None,
    ) -> None:
        self.traffic = Traffic(metrics, measures)
        self.frameworks = Frameworks(database)
        self.draining = False
        self._timing = timing or Timing()
        self.beat = Beat(self._timing.beat)
        self._history = history or History(database)
        self._pages = Pages(self._history)
        self._subscriber = AsyncLiveSubscriber(
            cache_redis_url, queue_prefix, on_disconnect=self.check_soon, on_reconnect=self.check_soon
        )
        self._forget = forget
        self._feeds: dict[UUID, WorkspaceFeed] = {}
        self._stale = False
        self._asking: asyncio.Task[list[Position] | StoreUnavailable] | None = None
        self._due = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def sockets(self) -> int:
        """How many are signed in."""
        return sum(len(feed.sockets) for feed in self._feeds.values())

    async def start(self) -> None:
        """Begin to follow; waits for no store."""
        self._spawn(self._forever(self._read))
        self._spawn(self._forever(self._check_positions))
        self._spawn(self._forever(self._tend))
        self._spawn(self._forever(self.beat.run))

    async def stop(self) -> None:
        """End everything; sockets are closed by `drain` before."""
        for feed in self._feeds.values():
            feed.stop()
        self._pages.stop()
        tasks = [*self._tasks, *([self._asking] if self._asking else ())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def drain(self, within: float = 3.0) -> None:
        """Close every socket with 1012 in jittered batches, each told when to come back: not all at once."""
        self.draining = True
        sockets = [socket for feed in self._feeds.values() for socket in feed.sockets]
        random.shuffle(sockets)
        batches = [sockets[start : start + _DRAIN_BATCH] for start in range(0, len(sockets), _DRAIN_BATCH)]
        spread = min(_COME_BACK_WITHIN_MS, len(sockets) * _COME_BACK_EVERY_MS)
        for batch in batches:
            for socket in batch:
                socket.send(text_frame(protocol.restart(random.randint(0, spread))))  # noqa: S311 - jitter
                socket.close(CloseCode.RESTART, "the gateway restarts: come back and resume")
            await asyncio.sleep(random.uniform(0.5, 1.0) * min(0.1, within / len(batches)))  # noqa: S311 - jitter

    def attach(self, workspace_id: UUID, socket: Socket) -> WorkspaceFeed:
        """Count a signed-in socket in; its workspace's feed, which begins now if it is the first one here."""
        feed = self._feeds.get(workspace_id)
        if feed is None:
            feed = self._feeds[workspace_id] = WorkspaceFeed(
                workspace_id,
                self._history,
                self._pages,
                check_soon=self.check_soon,
                traffic=self.traffic.of(workspace_id),
            )
            feed.stale = self._stale
            self._spawn(self._follow(feed))
        feed.attach(socket)
        return feed

    def detach(self, feed: WorkspaceFeed, socket: Socket) -> None:
        """The socket is gone. Its feed lingers: people reload pages."""
        feed.detach(socket, asyncio.get_running_loop().time())

    def revoked(self, workspace_id: UUID, user_id: str) -> None:
        """What a member or a key may has changed: forget what is remembered of it, and look at its sockets again."""
        self._forget(workspace_id, user_id)
        self.beat.revoked(workspace_id, user_id)

    def check_soon(self) -> None:
        """Compare positions without waiting for the next turn."""
        self._due.set()

    async def refresh(self) -> None:
        """Compare positions now. StoreUnavailable."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        self._due.set()
        await done

    async def _follow(self, feed: WorkspaceFeed) -> None:
        """Positions are asked for only behind the subscription, so that nothing falls in between."""
        await self._subscriber.subscribe(feed.workspace_id)
        feed.followed = True
        self.check_soon()

    async def _read(self) -> None:
        read = 0
        async for workspace_id, message in self._subscriber:
            if isinstance(message, LiveRevocation):
                self.revoked(workspace_id, message.user_id)
            elif (feed := self._feeds.get(workspace_id)) is not None:
                feed.receive(message)
            read += 1
            if read % _YIELD_EVERY == 0:
                await asyncio.sleep(0)

    async def _check_positions(self) -> None:
        """Every 3 s; four times a second while a store is away, so that the feed stays live without Redis."""
        while True:
            self._due.clear()
            waiting, self._waiting = self._waiting, []
            reached = await self._check()
            for done in waiting:
                if done.done():
                    continue
                if reached:
                    done.set_result(None)
                else:
                    done.set_exception(StoreUnavailable("PostgreSQL is unavailable"))
            alone = self._stale or not self._subscriber.connected
            try:
                async with asyncio.timeout(self._timing.check_alone if alone else self._timing.check):
                    await self._due.wait()
            except TimeoutError:
                pass

    async def _check(self) -> bool:
        """Whether PostgreSQL could be asked."""
        feeds = {feed.workspace_id: feed for feed in self._feeds.values() if feed.followed}
        if not feeds:
            self._stale = False
            return True
        seen_before = {workspace_id: feed.known for workspace_id, feed in feeds.items()}
        positions = await self._positions(list(feeds))
        if positions is None:
            self._go_stale()
            return False
        self._stale = False
        for position in positions:
            feeds[position.workspace_id].learn(position, seen_before[position.workspace_id])
        return True

    async def _positions(self, workspace_ids: list[UUID]) -> list[Position] | None:
        """None while PostgreSQL is away; a connection that a restart has cut is no reason to say so.

        A question without an answer in time is left to end by itself: a server that does not move any more makes even
        its cancelling take seconds. Until then nothing else is asked.
        """
        failure: Exception = TimeoutError("no answer in time")
        for _ in range(2):
            if self._asking is not None and not self._asking.done():
                await asyncio.wait({self._asking}, timeout=self._timing.check_within)
                if not self._asking.done():
                    break
            self._asking = asyncio.create_task(self._asked(workspace_ids))
            done, _ = await asyncio.wait({self._asking}, timeout=self._timing.check_within)
            if not done:
                break
            answer = self._asking.result()
            if not isinstance(answer, StoreUnavailable):
                return answer
            failure = answer
        if not self._stale:
            log.warning("live feed: PostgreSQL is away: %s", failure)
        return None

    async def _asked(self, workspace_ids: list[UUID]) -> list[Position] | StoreUnavailable:
        try:
            return await self._history.positions(workspace_ids)
        except StoreUnavailable as error:
            return error

    def _go_stale(self) -> None:
        self._stale = True
        for feed in self._feeds.values():
            if not feed.stale:
                feed.go_stale()

    async def _tend(self) -> None:
        """Tell positions, and let go of feeds that nobody has been on for a while."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._timing.positions)
            for feed in tuple(self._feeds.values()):
                feed.tell_positions()
                if feed.empty_since is not None and loop.time() - feed.empty_since > self._timing.linger:
                    self._subscriber.unsubscribe(feed.workspace_id)
                    del self._feeds[feed.workspace_id]
                    feed.stop()

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forever(self, work: Callable[[], Awaitable[None]]) -> None:
        """A fault in one of the loops ends none of them."""
        while True:
            try:
                await work()
            except Exception:
                log.exception("live feed: %s failed and is started again", work.__name__)
            await asyncio.sleep(_RESTART_AFTER)
