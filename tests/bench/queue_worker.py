"""A worker process with handlers that do nothing but note when they began: ours, or stock Dramatiq.

The job is the first argument, as JSON. It prints `ready`, works until stdin ends or `expect` messages came, then prints
the milliseconds from each message's sending to its handler, and the seconds from the first handler to the last.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from prometheus_client import CollectorRegistry

from convex_common.contracts import Contract
from convex_common.metrics import Metrics
from convex_common.redis.broker import Worker, make_broker, standard_middleware

STOCK_TIMEOUTS = {"stock": 1000, "stock-20": 20}
"""Milliseconds that stock Dramatiq backs off to at most: its default, and as quick as it is ever set."""


@dataclass(frozen=True)
class Tick:
    """A message that knows when it was sent, by this machine's monotonic clock; warm-ups are numbered below 0."""

    number: int
    sent_at: float


@dataclass(frozen=True)
class WorkerJob:
    """`side` is ours, stock or stock-20; `prefix` keeps the queues of rounds apart."""

    side: str
    redis_url: str
    prefix: str
    queue: str
    expect: int
    threads: int = 8


@dataclass
class Picked:
    """What the handlers saw."""

    expect: int
    waited_ms: list[float] = field(default_factory=list)
    first_at: float = 0.0
    last_at: float = 0.0
    complete: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def handle(self, tick: Tick) -> None:
        now = time.perf_counter()
        if tick.number < 0:
            return
        with self._lock:
            self.waited_ms.append((now - tick.sent_at) * 1000)
            self.first_at = self.first_at or now
            self.last_at = now
            if len(self.waited_ms) >= self.expect:
                self.complete.set()


def contract(queue: str) -> Contract[Tick]:
    """A message of the bench on one of the product's queues."""
    return Contract(f"bench_{queue}", queue, Tick)


def start(job: WorkerJob, picked: Picked) -> None:
    """Start the worker's threads and return."""
    if job.side == "ours":
        broker = make_broker(job.redis_url, job.prefix, standard_middleware(Metrics(CollectorRegistry())))
        Worker(broker, {contract(job.queue): picked.handle}, threads=job.threads).start()
        return
    stock = stock_broker(job.redis_url, job.prefix)
    name = contract(job.queue).name

    def handle(**data: Any) -> None:
        picked.handle(Tick(**data))

    dramatiq.Actor(handle, broker=stock, actor_name=name, queue_name=job.queue, priority=0, options={})
    dramatiq.Worker(stock, worker_timeout=STOCK_TIMEOUTS[job.side], worker_threads=job.threads).start()


def stock_broker(redis_url: str, prefix: str) -> RedisBroker:
    """Dramatiq's Redis broker with everything at its defaults."""
    return RedisBroker(url=redis_url, namespace=prefix)  # type: ignore[no-untyped-call]  # dramatiq leaves it unannotated


def main() -> None:
    """One job, until its messages came or stdin ends."""
    job = WorkerJob(**json.loads(sys.argv[1]))
    picked = Picked(job.expect)
    start(job, picked)
    print("ready", flush=True)
    threading.Thread(target=_watch_stdin, args=(picked,), daemon=True).start()
    picked.complete.wait()
    seconds = picked.last_at - picked.first_at
    print(json.dumps({"waited_ms": picked.waited_ms, "seconds": seconds}), flush=True)
    os._exit(0)  # stopping a worker in good order takes a second, and it was measured


def _watch_stdin(picked: Picked) -> None:
    sys.stdin.read()
    picked.complete.set()


if __name__ == "__main__":
    main()
