"""The live feed on Redis: workers publish after their commit, gateways subscribe for workspaces with sockets."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Final
from uuid import UUID

from opentelemetry.trace import Span, SpanKind

from convex_common.errors import Invalid
from convex_common.feed import LiveEvent, LiveMessage, channel, decode, encode
from convex_common.redis.address import Address
from convex_common.redis.breaker import Breaker
from convex_common.redis.cache.marks import Call, marks_of
from convex_common.redis.link import Link
from convex_common.redis.resp import Replies, Reply, ReplyError, command
from convex_common.stores import UNWATCHED, Watch
from convex_common.tracing import Attributes, exporting, failed, started_from, traceparent_of, wanted

log = logging.getLogger(__name__)

_PUBLISH_WITHIN: Final = 0.1
_CONNECT_WITHIN: Final = 2.0
_CONFIRM_WITHIN: Final = 1.0
_PING_AFTER: Final = 5.0
_FIRST_RETRY, _LAST_RETRY = 0.05, 1.0
_READ_SIZE: Final = 1 << 18
_LIVE: Final[Attributes] = {
    "messaging.system": "redis",
    "messaging.destination.name": "live",
    "messaging.operation.name": "publish",
    "messaging.operation.type": "send",
}


class LivePublisher:
    """Publishes batches to the gateways, one write each; from threads. Thread-safe.

    The same write marks for the cache what the changes touched, before anybody is told of them. A batch that does not
    get through is no loss: gateways compare their positions with the log and fill the gap, in the cache as well.
    """

    def __init__(
        self,
        cache_redis_url: str,
        queue_prefix: str = "alert",
        *,
        within: float = _PUBLISH_WITHIN,
        watch: Watch = UNWATCHED,
    ) -> None:
        self._prefix = queue_prefix
        self._link = Link(cache_redis_url, watch)
        self._breaker = Breaker("publishing to the live feed")
        self._within = within

    def publish(self, messages: Sequence[LiveMessage]) -> bool:
        """Whether all of them were published, in order, within 100 ms. Never raises."""
        if not messages:
            return True
        if not self._breaker.allows():
            return False
        spans = _spans(messages)
        published = False
        try:
            published = self._publish(messages, [traceparent_of(span) if span else None for span in spans])
        finally:
            _end(spans, published)
        return published

    def close(self) -> None:
        """Close the connection."""
        self._link.close()

    def _publish(self, messages: Sequence[LiveMessage], spans: Sequence[str | None]) -> bool:
        marks = marks_of(self._prefix, messages)
        batch = [mark.by_digest() for mark in marks]
        batch += [
            command("PUBLISH", channel(self._prefix, message.workspace_id), encode(message, span))
            for message, span in zip(messages, spans, strict=True)
        ]
        try:
            replies = self._link.call(b"".join(batch), len(batch), self._within)
            self._mark_again(marks, replies)
        except OSError as error:
            self._breaker.failed(error)
            return False
        if refused := next((reply for reply in replies[len(marks) :] if isinstance(reply, ReplyError)), None):
            self._breaker.failed(refused)
            return False
        self._breaker.succeeded()
        return True

    def _mark_again(self, marks: Sequence[Call], replies: Sequence[Reply]) -> None:
        """By their text, where the server does not know the script. Other refusals are the cache's to notice."""
        unknown = [
            mark
            for mark, reply in zip(marks, replies, strict=False)
            if isinstance(reply, ReplyError) and str(reply).startswith("NOSCRIPT")
        ]
        if unknown:
            self._link.call(b"".join(mark.by_text() for mark in unknown), len(unknown), self._within)


def _spans(messages: Sequence[LiveMessage]) -> list[Span | None]:
    """One for each change whose trace is kept."""
    if not exporting():
        return [None] * len(messages)
    return [_span(message) if isinstance(message, LiveEvent) else None for message in messages]


def _span(event: LiveEvent) -> Span | None:
    if event.traceparent is None or not wanted(event.traceparent):
        return None
    about = {"messaging.message.id": str(event.offset), "convex.workspace.id": str(event.workspace_id)}
    span = started_from(event.traceparent, "publish live", kind=SpanKind.PRODUCER, attributes={**_LIVE, **about})
    return span if span.is_recording() else None


def _end(spans: Iterable[Span | None], published: bool) -> None:
    """Where one was not published, gateways find it in the log: late, not lost."""
    for span in spans:
        if span is None:
            continue
        if not published:
            failed(span, "not_published")
        span.end()


class AsyncLiveSubscriber:
    """One connection that follows the channels of the workspaces asked for, and reconnects for as long as it is read.

        async for workspace_id, message in subscriber: ...

    `on_reconnect` is called each time, the first included, that a connection stands with every channel confirmed, and
    `on_disconnect` when it was lost: messages published in between are gone, so positions are to be checked then.
    A connection that is silent for `ping_after` seconds is pinged, and given up after as long again.
    """

    def __init__(
        self,
        cache_redis_url: str,
        queue_prefix: str = "alert",
        *,
        on_disconnect: Callable[[], None] = lambda: None,
        on_reconnect: Callable[[], None] = lambda: None,
        ping_after: float = _PING_AFTER,
    ) -> None:
        self._address = Address.parse(cache_redis_url)
        self._prefix = queue_prefix
        self._on_disconnect = on_disconnect
        self._on_reconnect = on_reconnect
        self._ping_after = ping_after
        self._channels: dict[bytes, UUID] = {}
        self._confirming: dict[bytes, deque[asyncio.Future[bool]]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._announced = False

    @property
    def connected(self) -> bool:
        """Whether every channel is followed at this moment, as far as one can know."""
        return self._announced

    async def subscribe(self, workspace_id: UUID) -> bool:
        """Follow a workspace; True once Redis has confirmed it, so that nothing published afterwards is missed.

        False while there is no connection: it is followed from the next one on. Needs somebody to read meanwhile.
        """
        name = channel(self._prefix, workspace_id).encode()
        self._channels[name] = workspace_id
        if self._writer is None:
            return False
        confirmed = self._asked(self._writer, name)
        try:
            return await asyncio.wait_for(asyncio.shield(confirmed), _CONFIRM_WITHIN)
        except TimeoutError:
            return False

    def unsubscribe(self, workspace_id: UUID) -> None:
        """Stop following a workspace."""
        name = channel(self._prefix, workspace_id).encode()
        if self._channels.pop(name, None) and self._writer:
            self._writer.write(command("UNSUBSCRIBE", name))

    async def __aiter__(self) -> AsyncIterator[tuple[UUID, LiveMessage]]:
        retry_in, warned = _FIRST_RETRY, False
        while True:
            try:
                async with asyncio.timeout(_CONNECT_WITHIN):
                    reader, self._writer = await self._address.connect_async()
                if warned:
                    log.info("live feed: Redis is back")
                retry_in, warned = _FIRST_RETRY, False
                for name in self._channels:
                    self._asked(self._writer, name)
                self._announce_when_confirmed()
                async with aclosing(self._received(reader, self._writer)) as received:
                    async for item in received:
                        yield item
            except OSError as error:
                if not warned:
                    log.warning("live feed: Redis is away: %s", error or type(error).__name__)
                warned = True
            finally:
                self._lost()
            await asyncio.sleep(retry_in * random.uniform(0.5, 1.0))  # noqa: S311 - spreads the reconnects
            retry_in = min(_LAST_RETRY, retry_in * 2)

    async def _received(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> AsyncGenerator[tuple[UUID, LiveMessage]]:
        """The messages of one connection; OSError at its end, also when it answers no ping."""
        replies, silent = Replies(), False
        while True:
            try:
                async with asyncio.timeout(self._ping_after):
                    data = await reader.read(_READ_SIZE)
            except TimeoutError:
                if silent:
                    raise
                silent = True
                writer.write(command("PING"))
                continue
            if not data:
                raise ConnectionResetError("Redis closed the connection")
            silent = False
            for reply in replies.feed(data):
                if item := self._item(reply):
                    yield item

    def _item(self, reply: Reply) -> tuple[UUID, LiveMessage] | None:
        """What a reply means to the reader; confirmations are dealt with here."""
        match reply:
            case [b"message", bytes(name), bytes(payload)] if workspace_id := self._channels.get(name):
                try:
                    return workspace_id, decode(workspace_id, payload)
                except Invalid as error:
                    log.error("live feed: message dropped: %s", error, extra={"channel": name.decode()})
            case [b"subscribe", bytes(name), _]:
                self._confirmed(name)
            case ReplyError():
                raise ConnectionError(f"Redis refused: {reply}")
        return None

    def _asked(self, writer: asyncio.StreamWriter, name: bytes) -> asyncio.Future[bool]:
        confirmed = asyncio.get_running_loop().create_future()
        self._confirming.setdefault(name, deque()).append(confirmed)
        writer.write(command("SUBSCRIBE", name))
        return confirmed

    def _confirmed(self, name: bytes) -> None:
        waiting = self._confirming[name]
        confirmed = waiting.popleft()
        if not waiting:
            del self._confirming[name]
        if not confirmed.done():
            confirmed.set_result(True)
        self._announce_when_confirmed()

    def _announce_when_confirmed(self) -> None:
        if not self._announced and not self._confirming:
            self._announced = True
            self._on_reconnect()

    def _lost(self) -> None:
        """Forget the connection; whoever waits for a confirmation learns that there will be none."""
        for confirmed in [future for waiting in self._confirming.values() for future in waiting]:
            if not confirmed.done():
                confirmed.set_result(False)
        self._confirming.clear()
        if self._writer:
            self._writer.close()
            self._writer = None
        if self._announced:
            self._announced = False
            self._on_disconnect()
