"""Browsers that are open and read: sockets subscribed to a workspace, in a process of their own.

    python -m tests.bench.sockets URL COUNT < TOKEN

Says `subscribed` on stdout once all are, and lives until it is ended.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import uvloop

from tests.bench.load import ROOT
from tests.bench.websocket import Subscriber

AT_ONCE = 50


class Reader(Subscriber):
    """Reads as fast as it can and looks at nothing, from when it is subscribed: its cores are the product's, too."""

    def data_received(self, data: bytes) -> None:
        if not self.subscribed.done():
            super().data_received(data)


class Sockets:
    """A process with so many of them."""

    def __init__(self, url: str, token: str, count: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.sockets", url, str(count)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(token + "\n")
        self._process.stdin.flush()
        if self._process.stdout.readline().strip() != "subscribed":
            raise RuntimeError("sockets could not be opened, see above")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait(10)


async def _open(url: str, count: int, token: str) -> None:
    loop, address = asyncio.get_running_loop(), urlsplit(url)
    host, port = address.hostname or "127.0.0.1", address.port or 80
    for start in range(0, count, AT_ONCE):
        made = [
            await loop.create_connection(lambda: Reader(token, lambda _: None), host, port)
            for _ in range(min(AT_ONCE, count - start))
        ]
        await asyncio.gather(*(reader.subscribed for _, reader in made))
    print("subscribed", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_open(sys.argv[1], int(sys.argv[2]), sys.stdin.readline().strip()))
