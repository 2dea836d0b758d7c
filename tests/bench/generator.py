"""The load, in a process of its own: triggers at a rate or as fast as answers come, and what became of each.

Reads one JSON job from stdin, prints one JSON result. Times are taken from when a request was due, so that waiting for
a free connection counts. An accepted trigger is followed to the WebSocket by its fingerprint's occurrences.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

import msgspec
import uvloop

from tests.bench.http import ClientConnection, Receiver, post
from tests.bench.websocket import Subscriber

DESCRIPTION = "The 99th percentile of the response time has been above its threshold for five minutes; see the runbook."


@dataclass
class Job:
    """`rate` in triggers per second, 0 for a closed loop; `path` alertmanager posts alerts of its API instead."""

    url: str
    token: str | None
    rule_id: str = ""
    rate: float = 0.0
    seconds: float = 10.0
    connections: int = 16
    batch: int = 1
    fingerprints: int = 1000
    new_percent: float = 10.0
    follow: str = "none"  # none | websocket | webhook
    webhook_port: int = 0
    path: str = "/api/v1/triggers"
    total: int = 0  # stop after so many triggers, 0: by time
    drain_seconds: float = 15.0
    run: str = "r"


@dataclass
class Result:
    """Latencies in milliseconds; `cpu_share` of one core."""

    accepted: int = 0
    errors: int = 0
    seconds: float = 0.0
    answer_ms: list[float] = field(default_factory=list)
    seen_ms: list[float] = field(default_factory=list)
    unseen: int = 0
    frames: int = 0
    cpu_share: float = 0.0
    last_accepted_at: float = 0.0


class _Data(msgspec.Struct):
    labels: dict[str, str]
    occurrences: int


class _Frame(msgspec.Struct):
    type: str
    data: _Data | None = None


class _HookAlert(msgspec.Struct):
    labels: dict[str, str]


class _HookData(msgspec.Struct):
    alert: _HookAlert


class _OurHook(msgspec.Struct):
    data: _HookData


class _TheirHook(msgspec.Struct):
    alerts: list[_HookAlert]


class Generator:
    """Runs one job."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.result = Result()
        self._random = random.Random(time.time_ns())
        self._waiting: dict[str, deque[float]] = {}
        self._occurrences: dict[str, int] = {}
        self._unique = 0
        self._sent = 0
        self._frame = msgspec.json.Decoder(_Frame)
        self._idle = asyncio.Event()

    async def run(self) -> Result:
        """Load, then wait until everything accepted was seen, `drain_seconds` at most."""
        job, loop = self.job, asyncio.get_running_loop()
        where = urlsplit(job.url)
        host, port = where.hostname or "127.0.0.1", where.port or 80
        server = None
        if job.follow == "websocket":
            _, subscriber = await loop.create_connection(
                lambda: Subscriber(job.token or "", self._on_frame), host, port
            )
            await subscriber.subscribed
        elif job.follow == "webhook":
            server = await loop.create_server(lambda: Receiver(self._on_hook), "127.0.0.1", job.webhook_port)
        connections = [
            (await loop.create_connection(lambda: ClientConnection(self._on_answer), host, port))[1]
            for _ in range(job.connections)
        ]
        cpu, began = time.process_time(), time.perf_counter()
        await (self._open_loop(connections, began) if job.rate else self._closed_loop(connections, began))
        self.result.seconds = time.perf_counter() - began
        await self._until(lambda: all(c.free or c.closed for c in connections), 10.0)
        if job.follow != "none":
            await self._until(lambda: len(self.result.seen_ms) >= self.result.accepted, job.drain_seconds)
        self.result.cpu_share = (time.process_time() - cpu) / (time.perf_counter() - began)
        self.result.unseen = max(0, self.result.accepted - len(self.result.seen_ms)) if job.follow != "none" else 0
        if server:
            server.close()
        return self.result

    async def _open_loop(self, connections: list[ClientConnection], began: float) -> None:
        gap = self.job.batch / self.job.rate
        due, turn = began, 0
        while due < began + self.job.seconds:
            wait = due - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            while not connections[turn % len(connections)].free:
                turn += 1
                if turn % len(connections) == 0:
                    await asyncio.sleep(0.0005)
            self._fire(connections[turn % len(connections)], due)
            turn += 1
            due += gap * (0.5 + self._random.random())

    async def _closed_loop(self, connections: list[ClientConnection], began: float) -> None:
        async def one(connection: ClientConnection) -> None:
            while time.perf_counter() < began + self.job.seconds and not connection.closed:
                if self.job.total and self._sent >= self.job.total:
                    return
                self._fire(connection, time.perf_counter())
                while not connection.free and not connection.closed:
                    self._idle.clear()
                    await self._idle.wait()

        await asyncio.gather(*(one(connection) for connection in connections))

    def _fire(self, connection: ClientConnection, due: float) -> None:
        job = self.job
        items = [self._item(due) for _ in range(job.batch)]
        self._sent += job.batch
        as_list = job.batch > 1 or job.path.endswith("/alerts")
        body = b"[" + b",".join(items) + b"]" if as_list else items[0]
        connection.send(post(job.path, job.token, body), due)

    def _item(self, due: float) -> bytes:
        job = self.job
        if self._random.random() * 100 < job.new_percent:
            self._unique += 1
            host = f"{job.run}-new-{self._unique}"
        else:
            host = f"{job.run}-{self._random.randrange(job.fingerprints)}"
        if job.follow != "none":
            self._waiting.setdefault(host, deque()).append(due)
        labels = f'{{"host":"{host}","region":"eu-west-1","service":"checkout","env":"production"'
        if job.path.endswith("/alerts"):
            return f'{{"labels":{labels},"alertname":"latency"}},"annotations":{{"d":"{DESCRIPTION}"}}}}'.encode()
        return (
            f'{{"alert_rule_id":"{job.rule_id}","current_value":612.5,"labels":{labels}}},'
            f'"context":{{"description":"{DESCRIPTION}"}}}}'
        ).encode()

    def _on_answer(self, status: int, due: float, body: bytes) -> None:
        if status in (200, 202):
            now = time.perf_counter()
            self.result.accepted += self.job.batch
            self.result.answer_ms.append((now - due) * 1000)
            self.result.last_accepted_at = now
        else:
            self.result.errors += 1
            if self.result.errors <= 3:
                sys.stderr.write(f"{status} {body[:300]!r}\n")
        self._idle.set()

    def _on_frame(self, payload: bytes) -> None:
        now = time.perf_counter()
        frame = self._frame.decode(payload)
        if frame.type != "alert" or frame.data is None:
            return
        self.result.frames += 1
        host = frame.data.labels.get("host", "")
        self._seen(host, frame.data.occurrences - self._occurrences.get(host, 0), now)
        self._occurrences[host] = max(frame.data.occurrences, self._occurrences.get(host, 0))

    def _on_hook(self, body: bytes) -> None:
        now = time.perf_counter()
        if self.job.path.endswith("/alerts") and b'"receiver"' in body:
            for alert in msgspec.json.decode(body, type=_TheirHook).alerts:
                self._seen(alert.labels.get("host", ""), 1, now)
            return
        self._seen(msgspec.json.decode(body, type=_OurHook).data.alert.labels.get("host", ""), 1, now)

    def _seen(self, host: str, count: int, now: float) -> None:
        waiting = self._waiting.get(host)
        for _ in range(count):
            if not waiting:
                return
            self.result.seen_ms.append((now - waiting.popleft()) * 1000)

    async def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        deadline = time.perf_counter() + seconds
        while not condition() and time.perf_counter() < deadline:
            await asyncio.sleep(0.02)


def main() -> None:
    """One job from stdin, its result on stdout."""
    job = Job(**json.loads(sys.stdin.read()))

    async def run() -> dict[str, Any]:
        return asdict(await Generator(job).run())

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.write(json.dumps(runner.run(run())))


if __name__ == "__main__":
    main()
