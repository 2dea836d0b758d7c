"""Autobahn's cases, by kosoku, against the protocol that the gateway serves `/ws` with: all but speed and deflate."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import kosoku
import pytest
import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send

from convex_gateway.head_limit import HeadLimit
from convex_gateway.live.closing import CloseCode
from convex_gateway.live.frames import Binary, Event, binary_frame, text_frame
from convex_gateway.live.lean import LeanProtocol
from convex_gateway.live.server import options
from convex_gateway.live.wire import EXTENSION, Wire

GROUPS = ("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*")
CASES = 247
AT_ONCE = 8


class EchoProtocol(LeanProtocol):
    """Hands on binary messages, too: the gateway's listeners only hear that there was one."""

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Binary) and not self.closing:
                self.write(binary_frame(event.data))
            else:
                super()._handle([event])


class Echo:
    """Says again what it hears."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def text(self, text: str) -> None:
        self._wire.write(text_frame(text.encode()))

    def binary(self) -> None:
        raise AssertionError("the protocol has said it again")

    def behind(self, *, is_behind: bool) -> None:
        pass

    def fault(self, code: CloseCode, reason: str) -> None:
        pass

    def gone(self) -> None:
        pass


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """An ASGI application at whose every address there is an echo."""
    await receive()
    wire: Wire = scope["extensions"][EXTENSION]
    await send({"type": "websocket.accept"})
    wire.attach(Echo(wire))
    await wire.attend()


@contextlib.asynccontextmanager
async def echoing() -> AsyncIterator[str]:
    """Its address, served as the gateway is."""
    settings: dict[str, Any] = {**options(), "ws": EchoProtocol, "http": HeadLimit}
    config = uvicorn.Config(echo, host="127.0.0.1", port=0, log_level="warning", lifespan="off", **settings)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"ws://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/ws"
    finally:
        server.should_exit = True
        await serving


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_every_case_passes(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def scenario() -> None:
        async with echoing() as url:
            results = await kosoku.run_fuzzingclient(url, cases=GROUPS, concurrency=AT_ONCE)
        assert len(results) == CASES
        assert {result.behavior.value for result in results} <= {"OK", "INFORMATIONAL"}
        assert {result.behavior_close.value for result in results} <= {"OK", "INFORMATIONAL"}

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(scenario())
