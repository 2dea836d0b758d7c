"""The last metre: WebSocket frames straight into a connection's transport.

uvicorn's own way (`await send`) encodes a frame anew for every socket and waits for the slowest of them. Here a frame
is encoded once and written to each transport, and what is still waiting there is known before the next write.
"""

from __future__ import annotations

from typing import Final, Protocol, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

EXTENSION: Final = "convex.wire"
"""The key of `scope["extensions"]` under which an endpoint finds its wire."""

_PING: Final = b"\x89\x00"
_CLOSE_WITHIN: Final = 10.0


class Wire(Protocol):
    """An accepted WebSocket connection as the hub sees it. Times are the event loop's."""

    @property
    def heard_at(self) -> float:
        """When the peer last sent anything, a pong included."""

    @property
    def behind_since(self) -> float | None:
        """Since when the peer reads slower than we write; None while it keeps up."""

    @property
    def backlog(self) -> int:
        """Bytes written that the kernel has not taken yet."""

    @property
    def closing(self) -> bool:
        """Whether nothing can be written any more."""

    def write(self, frame: bytes) -> None:
        """Write an encoded frame; never waits."""

    def ping(self) -> None:
        """Ask the peer for a sign of life."""

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake; the connection is cut where the peer does not answer in time."""

    async def drained(self) -> None:
        """Wait until the peer keeps up again, or is gone."""


class LiveProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol with a `Wire` in the endpoint's scope. Pings, idleness and slowness are the hub's to decide.

    Give it to uvicorn by `ws=LiveProtocol` and switch uvicorn's own pings and deflate off (`server.options`).
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # uvicorn's to give and to take
        self.heard_at = self.loop.time()
        self.behind_since: float | None = None

    @property
    def backlog(self) -> int:
        """Bytes in the transport's buffer."""
        return self.transport.get_write_buffer_size()

    @property
    def closing(self) -> bool:
        """Closed, or about to be."""
        return self.close_sent or self.disconnected or self.transport.is_closing()

    def write(self, frame: bytes) -> None:
        """Write an encoded frame, unless the connection is closing."""
        if not self.closing:
            self.transport.write(frame)

    def ping(self) -> None:
        """A WebSocket ping without payload; browsers answer it by themselves."""
        self.write(_PING)

    def close(self, code: int, reason: str) -> None:
        """Send the close frame behind what is still in the buffer, and tell the endpoint."""
        if self.closing:
            return
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(_CLOSE_WITHIN, self.transport.abort)

    async def drained(self) -> None:
        """Wait for the transport's low-water mark."""
        await self.writable.wait()

    def handle_connect(self, event: Request) -> None:
        """Offer the wire to the endpoint."""
        super().handle_connect(event)
        if not self.close_sent:
            extensions = cast(dict[str, object], self.scope["extensions"])
            extensions[EXTENSION] = self

    def data_received(self, data: bytes) -> None:
        """Anything that arrives is a sign of life."""
        self.heard_at = self.loop.time()
        super().data_received(data)

    def pause_writing(self) -> None:
        """The buffer is above its high-water mark."""
        self.behind_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """The buffer is below its low-water mark."""
        self.behind_since = None
        super().resume_writing()
