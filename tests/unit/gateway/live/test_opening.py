"""How a connection becomes a socket: the 101 and what is said at once are one write, and no store delays the 101."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from convex_gateway.ends import ends
from convex_gateway.live.closing import CloseCode
from convex_gateway.live.frames import close_frame, text_frame
from convex_gateway.live.lean import LeanProtocol
from convex_gateway.live.wire import EXTENSION

HEADERS = [
    (b"host", b"a"),
    (b"sec-websocket-version", b"13"),
    (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
]
HELLO = text_frame(b'"hello"')


class Transport(asyncio.Transport):
    """Notes what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Deaf:
    """A listener that says what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def text(self, text: str) -> None:
        self.heard.append(text)

    def binary(self) -> None: ...

    def behind(self, *, is_behind: bool) -> None: ...

    def fault(self, code: CloseCode, reason: str) -> None: ...

    def gone(self) -> None: ...


def opened(app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> tuple[LeanProtocol, Transport]:
    """A connection whose opening request this application answers."""
    config = uvicorn.Config(app, ws=LeanProtocol, lifespan="off")
    config.load()
    protocol, transport = LeanProtocol(config, ServerState(), {}), Transport()
    protocol.connection_made(transport)
    protocol.asked(b"GET", b"/ws", HEADERS, ("127.0.0.1", 80), ("127.0.0.1", 5000))
    return protocol, transport


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


def test_the_answer_and_what_is_said_at_once_are_one_write() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        scope["extensions"][EXTENSION].attach(Deaf())
        scope["extensions"][EXTENSION].write(HELLO)

    async def scenario() -> None:
        protocol, transport = opened(app)
        await until(lambda: bool(transport.writes))
        protocol.write(HELLO)
        first, second = transport.writes
        assert first.startswith(b"HTTP/1.1 101 ")
        assert first.endswith(b"\r\n\r\n" + HELLO)
        assert second == HELLO

    asyncio.run(scenario())


def test_the_answer_waits_for_no_store() -> None:
    go_on = asyncio.Event()
    listener = Deaf()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        scope["extensions"][EXTENSION].attach(listener)
        await go_on.wait()
        scope["extensions"][EXTENSION].write(HELLO)

    async def scenario() -> None:
        protocol, transport = opened(app)
        await until(lambda: bool(transport.writes))
        assert transport.writes[0].startswith(b"HTTP/1.1 101 ")
        assert transport.writes[0].endswith(b"\r\n\r\n")
        protocol.data_received(b"\x81\x82\0\0\0\0hi")
        assert listener.heard == ["hi"], "who has its 101 is read"
        go_on.set()
        await until(lambda: len(transport.writes) > 1)
        assert transport.writes[1:] == [HELLO]

    asyncio.run(scenario())


def test_what_comes_before_the_answer_is_read_behind_it() -> None:
    listener = Deaf()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0)
        await send({"type": "websocket.accept"})
        scope["extensions"][EXTENSION].attach(listener)
        await asyncio.sleep(0)

    async def scenario() -> None:
        protocol, transport = opened(app)
        protocol.data_received(b"\x81\x82\0\0\0\0hi")
        assert listener.heard == []
        assert transport.writes == []
        await until(lambda: listener.heard == ["hi"])
        assert transport.writes[0].startswith(b"HTTP/1.1 101 ")

    asyncio.run(scenario())


@pytest.mark.parametrize("accepts", [True, False])
def test_a_gateway_that_stops_says_so_as_the_peer_understands_it(accepts: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if accepts:
            await send({"type": "websocket.accept"})
            scope["extensions"][EXTENSION].attach(Deaf())
        await asyncio.Event().wait()

    async def scenario() -> None:
        protocol, transport = opened(app)
        await asyncio.sleep(0)
        assert transport.writes == [], "it is held"
        protocol.shutdown()
        written = b"".join(transport.writes)
        if accepts:
            assert written.startswith(b"HTTP/1.1 101 ")
            assert written.endswith(close_frame(CloseCode.RESTART, "the gateway restarts: come back"))
        else:
            assert written.startswith(b"HTTP/1.1 503 ")

    asyncio.run(scenario())


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_both_ends_are_as_the_kernel_has_them(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def scenario() -> None:
        found: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        class Accepting(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                found.set_result(ends(transport))  # type: ignore[arg-type]  # it is a stream's
                transport.close()

        server = await asyncio.get_running_loop().create_server(Accepting, "127.0.0.1", 0)
        here = server.sockets[0].getsockname()
        with socket.create_connection(here) as peer:
            there = peer.getsockname()
            assert await asyncio.wait_for(found, 30) == (here, there)
        server.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(scenario())
