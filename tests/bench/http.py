"""A lean HTTP/1.1 client and server for load: as little of the cores as Python allows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast


class ClientConnection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way.

    `answered` gets the connection, the status (0: closed without an answer), the request's tag and the body.
    """

    def __init__(self, answered: Callable[[ClientConnection, int, float, bytes], None]) -> None:
        self._answered = answered
        self._buffer = b""
        self._tag = 0.0
        self.free = True
        self.closed = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's derives from no class of asyncio

    def send(self, request: bytes, tag: float) -> None:
        """Send a whole request; `tag` comes back with the answer."""
        assert self._transport is not None
        self.free, self._tag = False, tag
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if (message := _whole(self._buffer)) is None:
            return
        head, body, self._buffer = message
        self.free = True
        self._answered(self, int(head[9:12]), self._tag, body)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if not self.free:
            self.free = True
            self._answered(self, 0, self._tag, b"")


class Receiver(asyncio.Protocol):
    """A webhook's end: answers 200 to everything and hands the bodies over."""

    def __init__(self, received: Callable[[bytes], None]) -> None:
        self._received = received
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's derives from no class of asyncio

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (message := _whole(self._buffer)) is not None:
            _, body, self._buffer = message
            self._received(body)
            assert self._transport is not None
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def post(path: str, token: str | None, body: bytes) -> bytes:
    """A whole POST request of JSON."""
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{authorization}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _whole(buffer: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Head, body and what follows, once the whole message is there; lengths are counted, chunks not understood."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = buffer[:end]
    length = 0
    for line in head.split(b"\r\n"):
        if line[:15].lower() == b"content-length:":
            length = int(line[15:])
            break
    if len(buffer) < end + 4 + length:
        return None
    return head, buffer[end + 4 : end + 4 + length], buffer[end + 4 + length :]
