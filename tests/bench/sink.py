"""A webhook receiver that counts which alerts reached it, whatever happens to their senders."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from types import TracebackType
from typing import Self

import uvloop

from tests.bench.http import Receiver

_HOST = re.compile(rb'"host":\s*"([^"]+)"')


class Sink:
    """Listens on a loopback port, in a thread of its own, from `listen` on until it is closed."""

    def __init__(self, port: int) -> None:
        self.hosts: set[bytes] = set()
        self.bodies = 0
        self._port = port
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    def listen(self) -> None:
        """Be there; before, connections are refused."""
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(timeout=10)

    def wait(self, expected: int, *, within: float, patience: float) -> int:
        """How many alerts reached it, once all did, or none more came for `patience` seconds, or time is up."""
        deadline, seen, progress_at = time.monotonic() + within, -1, time.monotonic()
        while len(self.hosts) < expected and time.monotonic() < min(deadline, progress_at + patience):
            if len(self.hosts) != seen:
                seen, progress_at = len(self.hosts), time.monotonic()
            time.sleep(0.1)
        return len(self.hosts)

    async def _listen(self) -> None:
        await asyncio.get_running_loop().create_server(lambda: Receiver(self._received), "127.0.0.1", self._port)

    def _received(self, body: bytes) -> None:
        self.bodies += 1
        self.hosts.update(_HOST.findall(body))
