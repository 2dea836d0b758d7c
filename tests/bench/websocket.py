"""A lean WebSocket subscriber for load: text frames in, handed over as bytes."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable
from typing import cast

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Subscriber(asyncio.Protocol):
    """Connects with a bearer token, subscribes to the workspace and hands every text frame over.

    `request` asks for something else, and `gone` is called at the end of a connection.
    """

    def __init__(
        self,
        token: str,
        received: Callable[[bytes], None],
        request: bytes = b'{"type":"subscribe"}',
        gone: Callable[[], None] = lambda: None,
    ) -> None:
        self._token = token
        self._received = received
        self._request = request
        self._gone = gone
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._upgraded = False
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.close_code: int | None = None
        """Why the server closed it, while nobody asked it to; 1006 without a word."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's derives from no class of asyncio
        key = base64.b64encode(os.urandom(16)).decode()
        self._transport.write(
            (
                "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer {self._token}\r\n\r\n"
            ).encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self.close_code = self.close_code or 1006
        if not self.subscribed.done():
            self.subscribed.set_exception(ConnectionError(f"closed with {self.close_code} before it was subscribed"))
        self._gone()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._upgraded:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if not self._buffer.startswith(b"HTTP/1.1 101"):
                self.subscribed.set_exception(ConnectionError(bytes(self._buffer[:300]).decode()))
                return
            del self._buffer[: end + 4]
            self._upgraded = True
            self._send(TEXT, self._request)
        self._frames()

    def _frames(self) -> None:
        buffer, at = self._buffer, 0
        while len(buffer) - at >= 2:
            opcode, length, start = buffer[at] & 15, buffer[at + 1] & 127, at + 2
            if length == 126:
                if len(buffer) - at < 4:
                    break
                length, start = int.from_bytes(buffer[at + 2 : at + 4], "big"), at + 4
            elif length == 127:
                if len(buffer) - at < 10:
                    break
                length, start = int.from_bytes(buffer[at + 2 : at + 10], "big"), at + 10
            if len(buffer) - start < length:
                break
            payload = bytes(buffer[start : start + length])
            at = start + length
            self._frame(opcode, payload)
        del buffer[:at]

    def _frame(self, opcode: int, payload: bytes) -> None:
        if opcode == TEXT:
            if not self.subscribed.done() and b'"subscribed"' in payload[:40]:
                self.subscribed.set_result(None)
            self._received(payload)
        elif opcode == PING:
            self._send(PONG, payload)
        elif opcode == CLOSE:
            self.close_code = int.from_bytes(payload[:2], "big")

    def _send(self, opcode: int, payload: bytes) -> None:
        assert self._transport is not None
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))
        length = len(payload)
        size = bytes((0x80 | length,)) if length < 126 else b"\xfe" + length.to_bytes(2, "big")
        self._transport.write(bytes((0x80 | opcode,)) + size + mask + masked)
