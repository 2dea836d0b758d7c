"""The load, in a process of its own: triggers at a rate or as fast as answers come, and what became of each.

Reads one job from stdin and prints one result, both JSON. It says `begun` on stderr when the
measurement begins, and `sent` when the last request left.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec
import uvloop

from tests.bench.follower import Follower
from tests.bench.http import ClientConnection, Receiver, post
from tests.bench.job import ALERTMANAGER, OBSERVATIONS, Follow, Job, Result
from tests.bench.websocket import Subscriber

DESCRIPTION = "The 99th percentile of the response time has been above its threshold for five minutes; see the runbook."
MOST_ERRORS_SHOWN = 3
PRIMING_BATCH = 100


class Generator:
    """Runs one job."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.result = Result()
        self._follower = Follower(job, self.result)
        address = urlsplit(job.url)
        self._host_name, self._port = address.hostname or "127.0.0.1", address.port or 80
        self._free: deque[ClientConnection] = deque()
        self._answer = asyncio.Event()
        self._under_way = 0
        self._sent = 0
        self._unique = 0
        self._began = 0.0
        self._closed_loop = job.rate == 0

    async def run(self) -> Result:
        """Load, then wait until everything accepted was seen."""
        job, loop = self.job, asyncio.get_running_loop()
        subscriber = await self._subscribed() if job.follow is Follow.WEBSOCKET else None
        if job.follow is Follow.WEBHOOK:
            await loop.create_server(lambda: Receiver(self._follower.on_webhook), "127.0.0.1", job.webhook_port)
        for _ in range(job.connections):
            await self._connect()
        if job.new_percent < 100 and not job.primed_by:
            await self._prime()
        result = self.result
        gc.collect()
        gc.disable()  # its pauses would be taken for the product's
        _tell("begun")
        cpu, self._began = time.process_time(), time.perf_counter()
        await (self._as_answers_come() if self._closed_loop else self._at_rate())
        result.seconds = time.perf_counter() - self._began
        result.cpu_share = (time.process_time() - cpu) / result.seconds
        _tell("sent")
        await self._until(lambda: not self._under_way, 10.0)
        if job.follow is not Follow.NOTHING:
            await self._until(lambda: self._follower.seen >= result.accepted or self._stuck(), job.drain_seconds)
            result.unseen = max(0, result.accepted - self._follower.seen)
            result.seen_seconds = max(0.0, self._follower.last_at - self._began)
        result.close_code = subscriber.close_code if subscriber else None
        return result

    async def _subscribed(self) -> Subscriber:
        loop = asyncio.get_running_loop()
        _, subscriber = await loop.create_connection(
            lambda: Subscriber(self.job.token or "", self._follower.on_frame), self._host_name, self._port
        )
        await asyncio.wait_for(subscriber.subscribed, 10.0)
        return subscriber

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: ClientConnection(self._on_answer), self._host_name, self._port
        )
        self._free.append(connection)

    async def _prime(self) -> None:
        """Open the alerts that later triggers fold into, and forget that this was work."""
        job = self.job
        hosts = [f"{job.run}-{n}" for n in range(job.fingerprints)]
        self._closed_loop, at_rate = False, not self._closed_loop
        for start in range(0, len(hosts), PRIMING_BATCH):
            due = time.perf_counter()
            items = [self._item(host, due) for host in hosts[start : start + PRIMING_BATCH]]
            await self._send_when_free(b"[" + b",".join(items) + b"]", due)
        await self._until(lambda: not self._under_way, 10.0)
        if self.result.errors:
            raise ConnectionError("the alerts to fold into could not be opened")
        if job.follow is not Follow.NOTHING:
            await self._until(lambda: self._follower.seen >= len(hosts), 30.0)
        self._closed_loop = not at_rate
        self._follower.seen = 0
        self._follower.result = self.result = Result()

    async def _at_rate(self) -> None:
        job, draw = self.job, random.Random(time.time_ns())
        gap = job.batch / job.rate
        due, give_up = self._began, self._began + 2 * job.seconds
        while due < self._began + job.seconds and time.perf_counter() < give_up:
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            await self._send_when_free(self._body(due), due)
            if job.total and self._sent >= job.total:
                return
            due += gap * (0.5 + draw.random())

    async def _as_answers_come(self) -> None:
        while self._free:
            self._next(self._free.popleft())
        while self._under_way:
            self._answer.clear()
            await self._answer.wait()

    async def _send_when_free(self, body: bytes, due: float) -> None:
        while True:
            while not self._free:
                self._answer.clear()
                await self._answer.wait()
            connection = self._free.popleft()
            if not connection.closed:
                break
            await self._connect()
        self._send(connection, body, due)

    def _next(self, connection: ClientConnection) -> None:
        """The closed loop's next request, unless it is over."""
        job, now = self.job, time.perf_counter()
        over = now >= self._began + job.seconds or (job.total and self._sent >= job.total)
        if not over and not connection.closed:
            self._send(connection, self._body(now), now)

    def _send(self, connection: ClientConnection, body: bytes, due: float) -> None:
        self._under_way += 1
        connection.send(post(self.job.path, self.job.token, body), due)

    def _body(self, due: float) -> bytes:
        job = self.job
        items = [self._item(self._host(), due) for _ in range(job.batch)]
        self._sent += job.batch
        return b"[" + b",".join(items) + b"]" if job.batch > 1 or job.path == ALERTMANAGER else items[0]

    def _host(self) -> str:
        job = self.job
        if random.random() * 100 < job.new_percent:
            self._unique += 1
            return f"{job.run}-new-{self._unique}"
        return f"{job.primed_by or job.run}-{int(random.random() * job.fingerprints)}"

    def _item(self, host: str, due: float) -> bytes:
        job = self.job
        if job.follow is not Follow.NOTHING:
            self._follower.expect(host, due)
        labels = f'{{"host":"{host}","region":"eu-west-1","service":"checkout","env":"production"'
        if job.path == ALERTMANAGER:
            return f'{{"labels":{labels},"alertname":"latency"}},"annotations":{{"d":"{DESCRIPTION}"}}}}'.encode()
        if job.path == OBSERVATIONS:
            return (
                f'{{"framework_id":"{job.framework_id}","metric":"observed","value":1.5,"labels":{labels}}}}}'.encode()
            )
        return (
            f'{{"alert_rule_id":"{job.rule_id}","current_value":612.5,"labels":{labels}}},'
            f'"context":{{"description":"{DESCRIPTION}"}}}}'
        ).encode()

    def _on_answer(self, connection: ClientConnection, status: int, due: float, body: bytes) -> None:
        self._under_way -= 1
        result = self.result
        if status in (200, 202):
            result.accepted += self.job.batch
            result.answer_ms.append((time.perf_counter() - due) * 1000)
        else:
            result.errors += 1
            if result.errors <= MOST_ERRORS_SHOWN and not self.job.quiet:
                sys.stderr.write(f"{status} {body[:300]!r}\n")
        if self._closed_loop:
            self._next(connection)
        else:
            self._free.append(connection)
        if self.job.kill and not self._under_way and self._sent >= self.job.total:
            for pid in self.job.kill:
                os.kill(pid, signal.SIGKILL)
        self._answer.set()

    def _stuck(self) -> bool:
        """Whether nothing was seen for so long that nothing more will be."""
        last = max(self._follower.last_at, self._began + self.result.seconds)
        return time.perf_counter() - last > self.job.patience_seconds

    async def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        deadline = time.perf_counter() + seconds
        while not condition() and time.perf_counter() < deadline:
            await asyncio.sleep(0.02)


def _tell(word: str) -> None:
    sys.stderr.write(word + "\n")
    sys.stderr.flush()


def main() -> None:
    """One job from stdin, its result on stdout."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)

    async def run() -> Result:
        return await Generator(job).run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.buffer.write(msgspec.json.encode(runner.run(run())))


if __name__ == "__main__":
    main()
