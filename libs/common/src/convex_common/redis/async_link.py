"""A few connections to Redis for an event loop that cannot wait: calls share them, and each ends within its time."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from typing import Final, cast

from convex_common.redis.address import Address
from convex_common.redis.resp import Replies, Reply, ReplyError, command

log = logging.getLogger(__name__)

_CONNECT_WITHIN: Final = 1.0
_FIRST_RETRY, _LAST_RETRY = 0.05, 2.0
_LATE_IN_A_ROW: Final = 3
_MOST_WAITING: Final = 1000


class AsyncLink:
    """Calls go out as they come, over `size` connections, and are answered in their order on each.

    A connection that answers three calls in a row too late is given up. Lost ones come back by themselves, after a
    pause that doubles up to 2 s and is never quite the same; nobody waits for that: a call without a connection fails
    at once, but for the very first. It is a breaker, then: what is away costs nothing, what is frozen three calls.
    Belongs to the event loop on which it is first used.
    """

    def __init__(self, url: str, *, size: int = 2, what: str = "cache") -> None:
        self._address = Address.parse(url)
        self._what = what
        self._size = size
        self._lines: list[_Line] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._tried = asyncio.Event()
        self._warned = False
        self.era = 0
        """Raised whenever a connection was made or lost: what was true of the server before may not be any more."""

    async def ready(self, within: float) -> bool:
        """Whether there is a connection, as far as one can know; waits for the very first attempt and for no other."""
        if not self._keepers:
            self._keepers = [asyncio.create_task(self._keep(n)) for n in range(self._size)]
        if not self._lines and not self._tried.is_set():
            try:
                await asyncio.wait_for(self._tried.wait(), within)
            except TimeoutError:
                return False
        return bool(self._lines)

    async def call(self, commands: bytes, replies: int, within: float) -> list[Reply]:
        """The replies to a pipeline; OSError (TimeoutError after `within` seconds) if they did not come.

        ReplyErrors are among the replies. Commands that were sent may have been done although their replies are late.
        """
        if not self._lines and not await self.ready(within):
            raise ConnectionError("there is no connection to Redis")
        line = min(self._lines, key=_Line.waiting)
        return await line.call(commands, replies, within)

    async def aclose(self) -> None:
        """Close the connections; a later call opens new ones."""
        keepers, self._keepers = self._keepers, []
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        self._tried.clear()

    async def _keep(self, number: int) -> None:
        """Hold one connection, for ever."""
        retry_in = _FIRST_RETRY
        while True:
            try:
                line = await self._opened()
            except OSError as error:
                if number == 0:
                    self._told(error)
            else:
                self._come(line)
                try:
                    await line.lost
                finally:
                    self._gone(line)
                if line.served:
                    retry_in = _FIRST_RETRY
            finally:
                self._tried.set()
            await asyncio.sleep(retry_in * random.uniform(0.5, 1.0))  # noqa: S311 - spreads the reconnects
            retry_in = min(_LAST_RETRY, retry_in * 2)

    async def _opened(self) -> _Line:
        """A connection that is let in and answers; OSError otherwise."""
        async with asyncio.timeout(_CONNECT_WITHIN):
            line = await self._address.open(_Line)
            try:
                greetings = [*self._address.greetings(), command("PING")]
                for reply in await line.call(b"".join(greetings), len(greetings), _CONNECT_WITHIN):
                    if isinstance(reply, ReplyError):
                        raise ConnectionError(f"Redis refused the connection: {reply}")
            except BaseException:
                line.abort()
                raise
        line.served = False
        return line

    def _come(self, line: _Line) -> None:
        self._lines.append(line)
        self.era += 1
        self._tried.set()
        if self._warned:
            log.info("%s: Redis is back", self._what)
            self._warned = False

    def _gone(self, line: _Line) -> None:
        self._lines.remove(line)
        self.era += 1
        line.abort()

    def _told(self, error: OSError) -> None:
        if not self._warned:
            log.warning("%s: Redis is away: %s", self._what, error or type(error).__name__)
            self._warned = True


class _Line(asyncio.Protocol):
    """One connection: calls out, replies in, in the same order."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._replies = Replies()
        self._calls: deque[tuple[int, list[Reply], asyncio.Future[list[Reply]]]] = deque()
        self._late = 0
        self._transport: asyncio.Transport | None = None
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self.served = False

    def waiting(self) -> int:
        """Calls that have no answer yet."""
        return len(self._calls)

    async def call(self, commands: bytes, replies: int, within: float) -> list[Reply]:
        if self._transport is None or self.lost.done():
            raise ConnectionResetError("Redis closed the connection")
        if len(self._calls) >= _MOST_WAITING:
            raise ConnectionError("too many calls wait for Redis")
        answered: asyncio.Future[list[Reply]] = self._loop.create_future()
        self._calls.append((replies, [], answered))
        self._transport.write(commands)
        deadline = self._loop.call_later(within, self._expire, answered)
        try:
            return await answered
        finally:
            deadline.cancel()

    def abort(self) -> None:
        """Close it now; calls under way fail."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            replies = self._replies.feed(data)
        except OSError:
            self.abort()
            return
        for reply in replies:
            if not self._calls:
                self.abort()  # nobody asked: what follows cannot be told apart
                return
            wanted, found, answered = self._calls[0]
            found.append(reply)
            if len(found) == wanted:
                self._calls.popleft()
                if not answered.done():
                    self._late, self.served = 0, True
                    answered.set_result(found)

    def connection_lost(self, error: Exception | None) -> None:
        for _, _, answered in self._calls:
            if not answered.done():
                answered.set_exception(ConnectionResetError("Redis closed the connection"))
        self._calls.clear()
        if not self.lost.done():
            self.lost.set_result(None)

    def _expire(self, answered: asyncio.Future[list[Reply]]) -> None:
        if answered.done():
            return
        answered.set_exception(TimeoutError("Redis took too long"))
        self._late += 1
        if self._late >= _LATE_IN_A_ROW:
            self.abort()
