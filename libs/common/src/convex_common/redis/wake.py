"""A Dramatiq broker whose idle consumers are woken instead of polling, and which outlives its Redis."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final

import redis
from dramatiq import Message, MessageProxy, Middleware
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.common import compute_backoff
from dramatiq.errors import DecodeError
from redis.backoff import NoBackoff
from redis.retry import Retry

from convex_common.redis.dispatch import (
    DEAD_MESSAGE_TTL_MS,
    MAX_UNPACK,
    namespace,
    stock_script,
    wake_key,
    with_wake_token,
)
from convex_common.stores import UNWATCHED, Watch

log = logging.getLogger(__name__)

_WOKEN_IDLE_MS: Final = 1000
_POLLED_IDLE_MS: Final = 20
_SOCKET_TIMEOUT: Final = 5.0  # seconds; must exceed the idle wait, which is a blocking read
_FIRST_RETRY, _LAST_RETRY = 0.05, 0.5  # seconds


class WakeBroker(RedisBroker):
    """Dramatiq's Redis broker with a wake-up list beside each queue.

    Its enqueue also pushes a token, on which idle consumers block: a message is picked up at once, at a tenth of the
    CPU that quick polling takes, and at worst after a second, as with the stock broker. Stock senders and consumers
    may share its queues. Where the installed dramatiq has another script it polls each 20 ms and says so once.

    Delayed messages are refused: timers live in Postgres.
    """

    def __init__(
        self,
        redis_url: str,
        queue_prefix: str,
        middleware: Sequence[Middleware] = (),
        *,
        script: bytes | None = None,
        watch: Watch = UNWATCHED,
    ) -> None:
        self.watch = watch
        client = redis.Redis.from_url(
            redis_url,
            socket_timeout=_SOCKET_TIMEOUT,
            socket_connect_timeout=1.0,
            retry=Retry(NoBackoff(), 0),  # consumers retry by themselves, without holding a thread inside the client
        )
        super().__init__(  # type: ignore[no-untyped-call]  # dramatiq leaves it unannotated
            client=client,
            middleware=list(middleware),
            namespace=namespace(queue_prefix),
            dead_message_ttl=DEAD_MESSAGE_TTL_MS,
        )
        patched = with_wake_token(stock_script() if script is None else script)
        self.wakes = patched is not None
        if patched is None:
            log.warning("this dramatiq's script is not the known one: queues are polled each %d ms", _POLLED_IDLE_MS)
        else:
            self.scripts["dispatch"] = client.register_script(patched)

    @property
    def idle_ms(self) -> int:
        """How long an idle consumer waits at most, in milliseconds: Dramatiq's `worker_timeout`."""
        return _WOKEN_IDLE_MS if self.wakes else _POLLED_IDLE_MS

    @property
    def consumer_class(self) -> type[WakeConsumer]:
        return WakeConsumer

    def declare_queue(self, queue_name: str) -> None:
        """Declare a queue without the delay queue beside it, which would cost a thread and its polling."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        if delay is not None:
            raise NotImplementedError("delayed messages are not supported; timers live in Postgres")
        return super().enqueue(message)

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def _max_unpack_size(self) -> int:
        return MAX_UNPACK


class WakeConsumer(_RedisConsumer):
    """Takes a queue's messages; blocks on tokens when idle, on a free thread when full, and waits out a lost Redis."""

    broker: WakeBroker

    def __init__(self, broker: WakeBroker, queue_name: str, prefetch: int, timeout: int) -> None:
        super().__init__(broker, queue_name, prefetch, timeout)  # type: ignore[no-untyped-call]  # dramatiq leaves it unannotated
        self._room = threading.Event()
        self._unsettled: deque[tuple[str, str]] = deque()
        self._trouble: str | None = None
        self._retry_in = _FIRST_RETRY

    def __next__(self) -> MessageProxy | None:
        self._room.clear()
        if not self.message_cache:
            if self.outstanding_message_count >= self.prefetch:
                self._room.wait(self.timeout / 1000)
                return None
            try:
                self._settle_the_rest()
                self.message_cache = self._fetched()
                self.broker.watch.answered()
                self._recovered()
                if not self.message_cache:
                    self._idle()
            except redis.RedisError as error:
                self._wait_out(error)
                return None
        return self._next_cached()

    def ack(self, message: MessageProxy) -> None:
        self._settle("ack", message)

    def nack(self, message: MessageProxy) -> None:
        self._settle("nack", message)

    def requeue(self, messages: Iterable[MessageProxy | Message[Any]]) -> None:
        """Give messages back at the end; with Redis away they stay behind, and their rows are found by the pollers."""
        if ids := [message.options["redis_message_id"] for message in messages]:
            try:
                self.broker.do_requeue(self.queue_name, *ids)
            except redis.RedisError as error:
                log.info("queue %s: %d messages not given back: %s", self.queue_name, len(ids), error)

    def close(self) -> None:
        """Give back what was fetched and not handed out."""
        cached, self.message_cache = self.message_cache, []
        self.requeue(message for message in map(_decoded, cached) if message)

    def _fetched(self) -> list[bytes]:
        free = self.prefetch - self.outstanding_message_count
        return list(self.broker.do_fetch(self.queue_name, free))

    def _next_cached(self) -> MessageProxy | None:
        while self.message_cache:
            message = _decoded(self.message_cache.pop(0))
            if message:
                self.misses = 0
                self.queued_message_ids.add(message.message_id)
                return MessageProxy(message)
        return None

    def _idle(self) -> None:
        if self.broker.wakes:
            self.broker.client.blpop([wake_key(self.broker.namespace, self.queue_name)], timeout=self.timeout / 1000)
        else:
            self.misses, pause_ms = compute_backoff(self.misses, max_backoff=self.timeout)
            time.sleep(pause_ms / 1000)

    def _settle(self, command: str, message: MessageProxy) -> None:
        """Take a message off the queue; later if Redis is away, since its handler's thread has better things to do."""
        message_id = message.options["redis_message_id"]
        try:
            self._dispatch(command, message_id)
        except redis.RedisError:
            self._unsettled.append((command, message_id))
        finally:
            self.queued_message_ids.discard(message.message_id)
            self._room.set()

    def _settle_the_rest(self) -> None:
        while self._unsettled:
            self._dispatch(*self._unsettled[0])
            self._unsettled.popleft()

    def _dispatch(self, command: str, message_id: str) -> None:
        settle = self.broker.do_ack if command == "ack" else self.broker.do_nack
        settle(self.queue_name, message_id)

    def _wait_out(self, error: redis.RedisError) -> None:
        """One warning per kind of trouble, then patience; dramatiq itself would not see redis-py's TimeoutError."""
        self.broker.watch.failed()
        trouble = f"{type(error).__name__}: {error}"
        if self._trouble is None or type(error).__name__ not in self._trouble:
            log.warning("queue %s: Redis is away, pollers carry on: %s", self.queue_name, trouble)
        self._trouble = trouble
        time.sleep(self._retry_in * random.uniform(0.5, 1.0))  # noqa: S311 - spreads the reconnects, guards nothing
        self._retry_in = min(_LAST_RETRY, self._retry_in * 2)

    def _recovered(self) -> None:
        if self._trouble is not None:
            log.info("queue %s: Redis is back", self.queue_name)
            self._trouble, self._retry_in = None, _FIRST_RETRY


def _decoded(data: bytes | None) -> Message[Any] | None:
    """The message; None for what was evicted, or is none of ours: dropped, for it can only be a hint."""
    try:
        return Message.decode(data) if data is not None else None
    except DecodeError as error:
        log.error("undecodable message dropped: %s", error, extra={"data": repr(data)[:200]})
        return None


def make_broker(
    redis_url: str, queue_prefix: str, middleware: Sequence[Middleware] = (), watch: Watch = UNWATCHED
) -> WakeBroker:
    """The broker of a worker process; connects when it is first used."""
    return WakeBroker(redis_url, queue_prefix, middleware, watch=watch)
