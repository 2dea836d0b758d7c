"""Clients that follow the live feed whatever becomes of gateways, in a process of their own.

    python -m tests.chaos.followers COUNT URL URL < INPUT

Each client follows a workspace, every second one a framework, and comes back to the next gateway from where it was.
The first line of INPUT is a JSON object with `token` and `framework_id`. Says `subscribed` on stdout once all are;
then a line `OFFSET` asks for all to come to that offset, and is answered by a `Report` as JSON.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import uvloop

from tests.bench.websocket import Subscriber

ROOT = Path(__file__).parents[2]
AT_ONCE: Final = 50
PATIENCE: Final = 120.0
_OFFSET: Final = b'"offset":'


@dataclass
class Report:
    """How the clients fared. `faults` says what was missed, doubled or out of order; `behind`, who is not there yet."""

    alerts: int = 0
    returns: int = 0
    faults: list[str] = field(default_factory=list)
    behind: int = 0


class Followers:
    """So many clients, in a process of their own."""

    def __init__(self, count: int, urls: tuple[str, ...], token: str, framework_id: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.followers", str(count), *urls],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._say(json.dumps({"token": token, "framework_id": framework_id}))
        assert self._hear() == "subscribed"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait(10)

    def come_to(self, offset: int) -> Report:
        """When all of them are there, or have had their time."""
        self._say(str(offset))
        return Report(**json.loads(self._hear()))

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


class Follower:
    """One client: it comes back, and checks that each alert's offset is the one after the last."""

    def __init__(self, number: int, urls: list[str], given: dict[str, str], report: Report) -> None:
        self.offset = -1
        self.subscribed = asyncio.Event()
        self._number = number
        self._urls = urls
        self._token = given["token"]
        self._framework = given["framework_id"] if number % 2 else None
        self._epoch = ""
        self._report = report

    async def run(self) -> None:
        """Follow until cancelled."""
        loop, turn = asyncio.get_running_loop(), self._number // 2
        while True:
            address = urlsplit(self._urls[turn % len(self._urls)])
            gone = asyncio.Event()
            subscriber = self._subscriber(gone)
            try:
                await loop.create_connection(lambda: subscriber, address.hostname or "", address.port or 0)  # noqa: B023
                await gone.wait()
                subscriber.subscribed.exception()  # said to whom waits for it, which is nobody
            except OSError:
                subscriber.subscribed.cancel()
            turn += 1
            self._report.returns += 1
            await asyncio.sleep(random.uniform(0.05, 1.0))

    def _subscriber(self, gone: asyncio.Event) -> Subscriber:
        request: dict[str, Any] = {"type": "subscribe"}
        if self._framework is not None:
            request["framework_id"] = self._framework
        if self._epoch:
            request["since"] = {"epoch": self._epoch, "offset": self.offset}
        return Subscriber(self._token, self._received, json.dumps(request).encode(), gone.set)

    def _received(self, payload: bytes) -> None:
        if payload.startswith(b'{"type":"alert"'):
            start = payload.index(_OFFSET) + len(_OFFSET)
            offset = int(payload[start : payload.index(b",", start)])
            if offset != self.offset + 1:
                self._fault(f"{offset} came after {self.offset}")
            self.offset = offset
            self._report.alerts += 1
        elif payload.startswith(b'{"type":"subscribed"'):
            self._resumed(json.loads(payload))

    def _resumed(self, told: dict[str, Any]) -> None:
        if not self._epoch:
            self._epoch, self.offset = told["epoch"], told["offset"]
        elif not told["recovered"] or told["epoch"] != self._epoch:
            self._fault(f"what came after {self.offset} was not recovered: {told}")
        self.subscribed.set()

    def _fault(self, what: str) -> None:
        if len(self._report.faults) < 20:
            self._report.faults.append(f"client {self._number}: {what}")


async def _follow(count: int, urls: list[str]) -> None:
    given, report = json.loads(await _line()), Report()
    clients = [Follower(number, urls, given, report) for number in range(count)]
    running = []
    for start in range(0, count, AT_ONCE):
        batch = clients[start : start + AT_ONCE]
        running += [asyncio.create_task(client.run()) for client in batch]
        await asyncio.gather(*(client.subscribed.wait() for client in batch))
    print("subscribed", flush=True)
    while line := await _line():
        last, until = int(line), asyncio.get_running_loop().time() + PATIENCE
        while (behind := sum(client.offset < last for client in clients)) and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.2)
        report.behind = behind
        for client in clients:
            if client.offset > last:
                report.faults.append(f"{client.offset} is after the last, {last}")
        print(json.dumps(asdict(report)), flush=True)


async def _line() -> str:
    return await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_follow(int(sys.argv[1]), sys.argv[2:]))
