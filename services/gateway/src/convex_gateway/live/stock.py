"""uvicorn's own WebSocket protocol as a wire: the way back, should ours ever be at fault (`WS_SERVER=uvicorn`)."""

from __future__ import annotations

from typing import Final, cast

from starlette.types import Message
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from convex_gateway.live.closing import CloseCode
from convex_gateway.live.frames import ping_frame
from convex_gateway.live.wire import CLOSE_WITHIN, EXTENSION, Flow, Listener

_PING: Final = ping_frame()
_BROKEN: Final = frozenset((CloseCode.PROTOCOL_ERROR, CloseCode.INVALID_DATA, CloseCode.TOO_BIG))


class StockProtocol(WebSocketsSansIOProtocol):
    """Offers a `Wire` in the endpoint's scope. Pings, idleness and slowness are the session's to decide."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # uvicorn's to give and to take
        self.heard_at = self.loop.time()
        self.behind_since: float | None = None
        self._listener: Listener | None = None

    @property
    def backlog(self) -> int:
        """Bytes in the transport's buffer."""
        return self.transport.get_write_buffer_size()

    @property
    def flow(self) -> Flow | None:
        """Nowhere: uvicorn's protocol has to be asked before each frame."""
        return None

    @property
    def closing(self) -> bool:
        """Closed, or about to be."""
        return self.close_sent or self.disconnected or self.transport.is_closing()

    def attach(self, listener: Listener) -> None:
        """Tell this one from now on."""
        self._listener = listener

    async def attend(self) -> None:
        """Until the end: what comes goes through uvicorn's queue, and a task waits for it."""
        listener = self._listener
        assert listener is not None
        try:
            message: Message
            while (message := cast(Message, await self.receive()))["type"] == "websocket.receive":
                text = message.get("text")
                if text is None:
                    listener.binary()
                else:
                    listener.text(text)
            if self.close_sent and message.get("code") in _BROKEN:
                listener.fault(CloseCode(message["code"]), message.get("reason") or "the frames are none")
        finally:
            self._listener = None
            listener.gone()

    def write(self, frame: bytes) -> None:
        """Write an encoded frame, unless the connection is closing."""
        if not self.closing:
            self.transport.write(frame)

    def ping(self) -> None:
        """A WebSocket ping without payload; browsers answer it by themselves."""
        self.write(_PING)

    def pause(self) -> None:
        """Reading is uvicorn's to pause: it takes one message at a time."""

    def resume(self) -> None:
        """The same."""

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
        self.close_timer = self.loop.call_later(CLOSE_WITHIN, self.transport.abort)

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
        if self._listener is not None:
            self._listener.behind(is_behind=True)

    def resume_writing(self) -> None:
        """The buffer is below its low-water mark."""
        self.behind_since = None
        super().resume_writing()
        if self._listener is not None:
            self._listener.behind(is_behind=False)
