"""Gateways as others would write them, each fed as ours is: one Redis subscription, a fan-out per message.

    python -m tests.bench.live.peers KIND PORT CACHE_URL PREFIX WORKSPACE_ID SECRET

They check the token's signature, and nothing else that ours does: no membership, no offsets, no limits, no metrics.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, cast
from uuid import UUID

import jwt
import uvicorn
import uvloop
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from convex_common.feed import LiveEvent
from convex_common.redis.live import AsyncLiveSubscriber

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_WIRE: Final = "bench.wire"


def text_frame(payload: bytes) -> bytes:
    """A text message as a server's frame; of 126 bytes to 64 KiB, or fewer."""
    size = len(payload)
    return (bytes((0x81, size)) if size < 126 else b"\x81\x7e" + size.to_bytes(2, "big")) + payload


async def _frames(cache_url: str, prefix: str, workspace_id: UUID) -> AsyncIterator[bytes]:
    """Alerts of the workspace, as ours gets them."""
    subscriber = AsyncLiveSubscriber(cache_url, prefix)
    following = asyncio.create_task(subscriber.subscribe(workspace_id))
    async for _, message in subscriber:
        if isinstance(message, LiveEvent):
            yield message.frame
    await following


class StockJson:
    """FastAPI's own page on WebSockets: `send_json` to each, one after the other."""

    def __init__(self, frames: AsyncIterator[bytes], secret: str) -> None:
        self._frames, self._secret = frames, secret
        self._sockets: set[WebSocket] = set()
        self.app = FastAPI(lifespan=self._lifespan)
        self.app.add_api_websocket_route("/ws", self._serve)

    async def tell(self, frame: bytes) -> None:
        data = json.loads(frame)
        for websocket in tuple(self._sockets):
            try:
                await websocket.send_json(data)
            except (WebSocketDisconnect, RuntimeError):
                self._sockets.discard(websocket)

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        async def follow() -> None:
            async for frame in self._frames:
                await self.tell(frame)

        following = asyncio.create_task(follow())
        yield
        following.cancel()

    async def _serve(self, websocket: WebSocket) -> None:
        given = websocket.headers["authorization"].removeprefix("Bearer ")
        claims = jwt.decode(given, self._secret, algorithms=["HS256"], issuer="convex", audience="convex")
        await websocket.accept()
        await websocket.send_json({"type": "auth_success", "user_id": claims["sub"]})
        try:
            await websocket.receive_json()
            self._sockets.add(websocket)
            self.joined(websocket)
            await websocket.send_json({"type": "subscribed"})
            while True:
                await websocket.receive_text()
        except WebSocketDisconnect:
            pass
        finally:
            self._sockets.discard(websocket)
            self.left(websocket)

    def joined(self, websocket: WebSocket) -> None:
        """A socket has subscribed."""

    def left(self, websocket: WebSocket) -> None:
        """It is gone."""


class Exposed(WebSocketsSansIOProtocol):
    """uvicorn's protocol, whose transport an endpoint can reach."""

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        cast("dict[str, object]", self.scope["extensions"])[_WIRE] = self


class StockWrite(StockJson):
    """The same, but a frame is encoded once and written to each transport."""

    def __init__(self, frames: AsyncIterator[bytes], secret: str) -> None:
        super().__init__(frames, secret)
        self._protocols: dict[WebSocket, Exposed] = {}

    async def tell(self, frame: bytes) -> None:
        encoded = text_frame(frame)
        for protocol in self._protocols.values():
            protocol.transport.write(encoded)

    def joined(self, websocket: WebSocket) -> None:
        self._protocols[websocket] = websocket.scope["extensions"][_WIRE]

    def left(self, websocket: WebSocket) -> None:
        self._protocols.pop(websocket, None)


class Bare(asyncio.Protocol):
    """The limit: uvloop's transports and nothing around them. It lets everybody in, and answers the first frame."""

    members: Final[set[asyncio.Transport]] = set()
    __slots__ = ("_transport", "_upgraded")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._upgraded = False

    def connection_lost(self, exc: Exception | None) -> None:
        self.members.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        if self._upgraded:
            if data[0] & 15 == 1 and self._transport not in self.members:
                self.members.add(self._transport)
                self._transport.write(text_frame(b'{"type":"subscribed"}'))
            return
        self._upgraded = True
        key = data.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept
        )


async def _bare(port: int, frames: AsyncIterator[bytes]) -> None:
    await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", port, backlog=2048)
    async for frame in frames:
        encoded = text_frame(frame)
        for transport in Bare.members:
            transport.write(encoded)


def _stock(made: type[StockJson], port: int, frames: AsyncIterator[bytes], secret: str) -> None:
    ws: Any = Exposed if made is StockWrite else "websockets-sansio"
    uvicorn.run(
        made(frames, secret).app,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        ws=ws,
        ws_per_message_deflate=False,
        access_log=False,
        log_level="error",
    )


if __name__ == "__main__":
    kind, given_port, cache, namespace, workspace, given_secret = sys.argv[1:]
    source = _frames(cache, namespace, UUID(workspace))
    if kind == "bare":
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_bare(int(given_port), source))
    else:
        _stock({"stock-json": StockJson, "stock-write": StockWrite}[kind], int(given_port), source, given_secret)
