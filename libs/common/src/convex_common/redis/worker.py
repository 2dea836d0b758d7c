"""Runs a service's handlers on the messages of its queues."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import dramatiq

from convex_common.contracts import Contract
from convex_common.redis.wake import WakeBroker

Handler = Callable[[Any], object]


class Worker:
    """Threads that take messages and call the handler of their contract with the decoded payload.

    A message is done when its handler returns or raises: it was a hint, and the row it meant says when to try again.
    Starting needs no Redis; messages come as soon as it is there, and again whenever it comes back.
    """

    def __init__(self, broker: WakeBroker, handlers: Mapping[Contract[Any], Handler], threads: int = 8) -> None:
        for contract, handler in handlers.items():
            dramatiq.Actor(
                _decoding(contract, handler),
                broker=broker,
                actor_name=contract.name,
                queue_name=contract.queue,
                priority=0,
                options={},
            )
        queues = {contract.queue for contract in handlers}
        self._worker = dramatiq.Worker(broker, queues=queues, worker_timeout=broker.idle_ms, worker_threads=threads)

    def start(self) -> None:
        """Start the threads and return."""
        self._worker.start()

    def stop(self, timeout: float = 30.0) -> None:
        """Let handlers finish, for `timeout` seconds at most, and give back what was not begun."""
        self._worker.stop(timeout=int(timeout * 1000))


def _decoding(contract: Contract[Any], handler: Handler) -> Callable[..., None]:
    def handle(**data: Any) -> None:
        handler(contract.decode(data))

    handle.__name__ = contract.name
    return handle
