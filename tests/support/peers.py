"""A WebSocket peer that does as a test says, byte by byte: it answers nothing by itself."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from tests.support.frames import CLOSE, TEXT, client_frame


@dataclass
class Peer:
    """A connection on which a head may be sent, and frames whole or in pieces."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    host: str
    path: str

    @classmethod
    async def connected(cls, url: str) -> Self:
        """A TCP connection, and nothing on it yet."""
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 20)
        query = f"?{parts.query}" if parts.query else ""
        return cls(reader, writer, parts.netloc, parts.path + query)

    @classmethod
    async def opened(cls, url: str, token: str = "", **headers: str) -> Self:
        """An open WebSocket, signed in by a header where there is a token."""
        peer = await cls.connected(url)
        peer.writer.write(peer.head(token, **headers))
        status, text = await peer.answer()
        assert status == 101, text
        return peer

    def head(self, token: str = "", **headers: str) -> bytes:
        """The opening request."""
        given = {
            "Host": self.host,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            **({"Authorization": f"Bearer {token}"} if token else {}),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        lines = [f"GET {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items()), "", ""]
        return "\r\n".join(lines).encode()

    async def answer(self) -> tuple[int, str]:
        """An answer's status and head."""
        async with asyncio.timeout(40):
            text = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        return int(text.split(" ", 2)[1]), text

    def send(self, **fields: Any) -> None:
        """A text frame of JSON."""
        self.writer.write(client_frame(TEXT, json.dumps(fields).encode()))

    async def frame(self) -> tuple[int, bytes]:
        """The next frame's opcode and payload."""
        first, second = await self.reader.readexactly(2)
        length = second & 127
        if length > 125:
            length = int.from_bytes(await self.reader.readexactly(2 if length == 126 else 8), "big")
        return first & 15, await self.reader.readexactly(length)

    async def told(self, kind: str) -> dict[str, Any]:
        """The next frame of this type; others are passed over."""
        async with asyncio.timeout(20):
            while True:
                opcode, payload = await self.frame()
                if opcode == TEXT and (fields := json.loads(payload))["type"] == kind:
                    return dict(fields)
                assert opcode != CLOSE, payload

    async def closed(self) -> int:
        """The code that it is closed with; 1006 where the connection ends without one."""
        async with asyncio.timeout(30):
            try:
                while True:
                    opcode, payload = await self.frame()
                    if opcode == CLOSE:
                        self.writer.write(client_frame(CLOSE, payload))
                        await self.reader.read()
                        return int.from_bytes(payload[:2], "big")
            except (asyncio.IncompleteReadError, ConnectionError):
                return 1006

    def vanish(self) -> None:
        """Without a word."""
        self.writer.transport.abort()
