"""Sends messages from an event loop, at best effort; hints gather while an earlier one is under way."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final, TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from convex_common.contracts import Contract, Mergeable, P
from convex_common.errors import Invalid
from convex_common.redis.breaker import Breaker
from convex_common.redis.dispatch import enqueue_arguments, enqueue_script, hint_script, namespace
from convex_common.redis.script import Script
from convex_common.redis.sender import WITHIN
from convex_common.redis.spans import sending
from convex_common.stores import UNWATCHED, Watch

log = logging.getLogger(__name__)

M = TypeVar("M", bound=Mergeable)

DEPTH: Final = 4
"""Hints that may wait in a queue: each makes a worker look for all that is due, so more would tell it nothing."""

PAUSE: Final = 0.003
"""Seconds between two hints of a contract: under load one speaks for many, and each costs its worker a message."""

_OPERATION_TIMEOUT: Final = 1.0
_MAX_LATE: Final = 4


class AsyncSender:
    """Puts messages on their queues by name; for the gateway. Belongs to the event loop on which it is used."""

    def __init__(
        self,
        redis_url: str,
        queue_prefix: str,
        *,
        within: float = WITHIN,
        depth: int = DEPTH,
        watch: Watch = UNWATCHED,
    ) -> None:
        self._watch = watch
        self._namespace = namespace(queue_prefix)
        self._client = Redis.from_url(redis_url, retry=Retry(NoBackoff(), 0), socket_connect_timeout=_OPERATION_TIMEOUT)
        self._enqueue = enqueue_script()
        self._hint = hint_script(depth)
        self._breaker = Breaker("sending to queues")
        self._within = within
        self._late: set[asyncio.Task[bool]] = set()
        self._waiting: dict[str, tuple[Any, str | None]] = {}
        self._hinting: dict[str, asyncio.Task[None]] = {}

    async def send(self, contract: Contract[P], payload: P, traceparent: str | None = None) -> bool:
        """Whether it was sent, within 50 ms; in the current trace unless told another. Never raises.

        A send that takes longer goes on behind the caller's back, so that a slow handshake is done for the next one.
        """
        if len(self._late) >= _MAX_LATE:
            return False
        sending = asyncio.create_task(self._sent(self._enqueue, contract, payload, traceparent))
        done, _ = await asyncio.wait({sending}, timeout=self._within)
        if done:
            return sending.result()
        self._late.add(sending)
        sending.add_done_callback(self._late.discard)
        self._breaker.failed(f"no answer within {self._within:g} s")
        return False

    def hint(self, contract: Contract[M], payload: M, traceparent: str | None = None) -> None:
        """Send a hint soon, and return at once; for what may get lost.

        One per contract is under way at a time, what comes meanwhile and within 3 ms after is merged into the next, and
        none is added to a queue where four wait already.
        """
        waiting = self._waiting.get(contract.name)
        self._waiting[contract.name] = (waiting[0].merged(payload), waiting[1]) if waiting else (payload, traceparent)
        if contract.name not in self._hinting:
            self._hinting[contract.name] = asyncio.create_task(self._send_waiting(contract))

    async def reachable(self) -> bool:
        """Whether Redis answers now, within a second."""
        try:
            async with asyncio.timeout(_OPERATION_TIMEOUT):
                await self._client.ping()
        except (RedisError, OSError):
            self._watch.failed()
            return False
        self._watch.answered()
        return True

    async def aclose(self) -> None:
        """Drop what is under way and close the connections."""
        under_way = [*self._late, *self._hinting.values()]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await self._client.aclose()

    async def _send_waiting(self, contract: Contract[Any]) -> None:
        try:
            while waiting := self._waiting.pop(contract.name, None):
                await self._sent(self._hint, contract, *waiting)
                await asyncio.sleep(PAUSE)
        finally:
            del self._hinting[contract.name]

    async def _sent(self, script: Script, contract: Contract[P], payload: P, traceparent: str | None) -> bool:
        with sending(contract, traceparent) as message:
            return message.ended(sent=await self._put(script, contract, payload, message.traceparent))

    async def _put(self, script: Script, contract: Contract[P], payload: P, traceparent: str | None) -> bool:
        try:
            arguments = enqueue_arguments(contract, payload, traceparent)
        except Invalid:
            log.exception("not sent: the payload breaks its contract", extra={"contract": contract.name})
            return False
        if not self._breaker.allows():
            return False
        try:
            async with asyncio.timeout(_OPERATION_TIMEOUT):
                await self._run(script, arguments)
        except (RedisError, OSError) as error:
            self._watch.failed()
            self._breaker.failed(error)
            return False
        self._watch.answered()
        self._breaker.succeeded()
        return True

    async def _run(self, script: Script, arguments: list[Any]) -> None:
        try:
            await self._client.evalsha(script.sha, 1, self._namespace, *arguments)
        except NoScriptError:
            await self._client.eval(script.text.decode(), 1, self._namespace, *arguments)
