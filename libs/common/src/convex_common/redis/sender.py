"""Sends messages from threads, at best effort: never late, never raising."""

from __future__ import annotations

import logging
import time
from typing import Final

from convex_common.contracts import Contract, P
from convex_common.errors import Invalid
from convex_common.redis.breaker import Breaker
from convex_common.redis.dispatch import enqueue_arguments, enqueue_script, namespace
from convex_common.redis.link import Link
from convex_common.redis.resp import Part, Reply, ReplyError, command
from convex_common.redis.spans import sending
from convex_common.stores import UNWATCHED, Watch

log = logging.getLogger(__name__)

WITHIN: Final = 0.05
"""Seconds that a send may take, come what may."""


class Sender:
    """Puts messages on their queues by name; for worker threads and scheduled jobs. Thread-safe.

    What is not sent is found by the pollers within a second, so a sender never waits for Redis to come back.
    """

    def __init__(self, redis_url: str, queue_prefix: str, *, within: float = WITHIN, watch: Watch = UNWATCHED) -> None:
        self._namespace = namespace(queue_prefix)
        self._link = Link(redis_url, watch)
        self._script = enqueue_script()
        self._breaker = Breaker("sending to queues")
        self._within = within

    def send(self, contract: Contract[P], payload: P, traceparent: str | None = None) -> bool:
        """Whether it was sent, within 50 ms; in the current trace unless told another. Never raises."""
        with sending(contract, traceparent) as message:
            return message.ended(sent=self._send(contract, payload, message.traceparent))

    def close(self) -> None:
        """Close the connection."""
        self._link.close()

    def _send(self, contract: Contract[P], payload: P, traceparent: str | None) -> bool:
        try:
            arguments = enqueue_arguments(contract, payload, traceparent)
        except Invalid:
            log.exception("not sent: the payload breaks its contract", extra={"contract": contract.name})
            return False
        if not self._breaker.allows():
            return False
        try:
            reply = self._run(arguments)
        except OSError as error:
            self._breaker.failed(error)
            return False
        if isinstance(reply, ReplyError):
            self._breaker.failed(reply)
            return False
        self._breaker.succeeded()
        return True

    def _run(self, arguments: list[Part]) -> Reply:
        deadline = time.monotonic() + self._within
        by_digest = command("EVALSHA", self._script.sha, 1, self._namespace, *arguments)
        reply = self._link.call(by_digest, 1, self._within)[0]
        if isinstance(reply, ReplyError) and str(reply).startswith("NOSCRIPT"):
            by_text = command("EVAL", self._script.text, 1, self._namespace, *arguments)
            reply = self._link.call(by_text, 1, max(0.0, deadline - time.monotonic()))[0]
        return reply
