"""A WebSocket protocol for uvicorn (`ws=LeanProtocol`) that lets go of everything once a connection is open.

The opening request goes through the ASGI application: routing, origins, who it is. Then the connection is its own: no
task, no scope, no queue stays of it, frames go to a listener as they are read, and a socket costs this object, its
listener and the transport.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, cast

from starlette.types import Message
from uvicorn import Config
from uvicorn.protocols.utils import is_ssl
from uvicorn.server import ServerState

from convex_gateway.ends import Local, Remote
from convex_gateway.live import upgrade
from convex_gateway.live.closing import CloseCode
from convex_gateway.live.frames import (
    Binary,
    Close,
    Event,
    FrameFault,
    Parser,
    Ping,
    Text,
    close_frame,
    ping_frame,
    pong_frame,
)
from convex_gateway.live.upgrade import Head, Refused
from convex_gateway.live.wire import CLOSE_WITHIN, EXTENSION, Listener

log = logging.getLogger(__name__)

MAX_BACKLOG_OF_PONGS: Final = 64 << 10
LINGER: Final = 2.0
"""Seconds that a peer which broke the protocol has to read why."""
HOLD: Final = 0.02
"""Seconds that the 101 waits for what is said behind it, so that the two are one packet."""
_EARLY_AT_MOST: Final = 64 << 10
_PING: Final = ping_frame()


class LeanProtocol(asyncio.Protocol):
    """One connection: opening until it was accepted, open, then closing. Also the `Wire` of its listener."""

    __slots__ = (
        "_connections",
        "_listener",
        "_max_message",
        "_opening",
        "_parser",
        "_reading",
        "_timer",
        "_transport",
        "_waiter",
        "behind_since",
        "closing",
        "flow",
        "heard_at",
    )

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._connections = server_state.connections
        self._transport: asyncio.Transport
        self._opening: _Opening | None = _Opening(self, config, server_state, app_state)
        self._listener: Listener | None = None
        self._max_message = config.ws_max_size
        self._parser: Parser | None = None  # while a message is not complete, and after the end
        self._reading = True
        self._timer: asyncio.TimerHandle | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.behind_since: float | None = None
        self.closing = False
        self.flow: asyncio.Transport | None = None
        self.heard_at = 0.0

    # what uvicorn and the transport call

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection came over from HTTP."""
        self._transport = self.flow = cast(asyncio.Transport, transport)
        self._connections.add(self)  # type: ignore[arg-type]  # of any class with `shutdown`

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over, for whatever reason."""
        self._connections.discard(self)
        self._shut()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._let_go()

    def asked(self, method: bytes, target: bytes, headers: upgrade.Headers, server: Local, client: Remote) -> None:
        """The opening request, as HTTP has read it."""
        self.heard_at = asyncio.get_running_loop().time()
        if self._opening is not None:
            self._opening.begin(method, target, headers, server, client)

    def data_received(self, data: bytes) -> None:
        """Bytes of the peer: frames."""
        self.heard_at = asyncio.get_running_loop().time()
        if self._opening is not None:
            self._opening.data_received(data)
        else:
            self._read(data)

    def eof_received(self) -> None:
        """The peer writes no more, so it is gone: a WebSocket is not closed by halves."""

    def pause_writing(self) -> None:
        """The buffer is above its high-water mark."""
        self.behind_since, self.flow = asyncio.get_running_loop().time(), None
        if self._listener is not None:
            self._listener.behind(is_behind=True)

    def resume_writing(self) -> None:
        """The buffer is below its low-water mark."""
        self.behind_since = None
        if not self.closing:
            self.flow = self._transport
        self._wake()
        if self._listener is not None:
            self._listener.behind(is_behind=False)

    def shutdown(self) -> None:
        """uvicorn stops. Who is still here was not drained: it has not signed in, or is only opening."""
        if self._opening is not None and not self._opening.accepted:
            self.answer(upgrade.answered(HTTPStatus.SERVICE_UNAVAILABLE, (), b""))
        else:
            self.close(CloseCode.RESTART, "the gateway restarts: come back")

    # what the opening calls

    @property
    def transport(self) -> asyncio.Transport:
        """The connection's."""
        return self._transport

    def accept(self, answer: bytes) -> None:
        """The 101: written with what is said behind it, when the application returns or soon."""
        if self._opening is not None:
            self._opening.hold(answer)

    def answer(self, answer: bytes) -> None:
        """Write another answer and hang up."""
        if not self.closing:
            self._transport.write(answer)
            self._hang_up()

    def opened(self) -> None:
        """The application has returned. A connection that nobody listens to ends here."""
        self.release()
        if self._listener is None and not self.closing:
            self._hang_up()

    def release(self) -> None:
        """Write what was held; frames follow it, and those that came too early are read once there is a listener."""
        opening, self._opening = self._opening, None
        if opening is None:
            return
        held, early = opening.let_go()
        if held and not self.closing:
            self._transport.write(held)
            if early:
                asyncio.get_running_loop().call_soon(self._read_early, early)

    # the wire of a listener

    @property
    def backlog(self) -> int:
        """Bytes in the transport's buffer."""
        return self._transport.get_write_buffer_size()

    def attach(self, listener: Listener) -> None:
        """Tell this one from now on."""
        self._listener = listener
        if self.closing:
            self._let_go()

    async def attend(self) -> None:
        """At once: frames find their listener by themselves."""

    def write(self, frame: bytes) -> None:
        """Write an encoded frame, unless the connection is closing."""
        if self.closing:
            return
        if self._opening is None:
            self._transport.write(frame)
        else:
            self._opening.hold(frame)

    def ping(self) -> None:
        """A WebSocket ping without payload; browsers answer it by themselves."""
        self.write(_PING)

    def pause(self) -> None:
        """Read nothing more until `resume`."""
        if self._reading and not self.closing:
            self._reading = False
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if not self._reading:
            self._reading = True
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def close(self, code: int, reason: str) -> None:
        """Send the close frame behind what is still in the buffer, and wait for the peer's; not for long."""
        if self.closing:
            return
        self.release()
        self._shut()
        self._transport.write(close_frame(code, reason))
        self.resume()  # for the peer's close frame
        self._timer = asyncio.get_running_loop().call_later(CLOSE_WITHIN, self._transport.abort)
        self._let_go()

    async def drained(self) -> None:
        """Wait for the transport's low-water mark."""
        if self.behind_since is None or self.closing:
            return
        if self._waiter is None:
            self._waiter = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._waiter)

    # frames

    def _read_early(self, data: bytes) -> None:
        self.resume()
        self._read(data)

    def _read(self, data: bytes) -> None:
        parser = self._parser or Parser(self._max_message)
        try:
            events = parser.feed(data)
        except FrameFault as fault:
            self._parser = parser
            self._handle(fault.events)
            self._break(CloseCode(fault.code), fault.reason)
        else:
            self._parser = None if parser.idle else parser
            self._handle(events)

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Close):
                self._closed(event)
            elif self.closing:
                continue  # what a peer sent before it read our close frame
            elif isinstance(event, Text):
                if self._listener is not None:
                    self._listener.text(event.text)
            elif isinstance(event, Ping):
                self._pong(event.payload)
            elif isinstance(event, Binary) and self._listener is not None:
                self._listener.binary()

    def _pong(self, payload: bytes) -> None:
        """Who pings without reading is not answered without bound: of several pings the last one will do."""
        if self.behind_since is None or self.backlog < MAX_BACKLOG_OF_PONGS:
            self._transport.write(pong_frame(payload))

    def _closed(self, event: Close) -> None:
        """The peer's close frame: the answer to ours, or to be answered by the same code."""
        if not self.closing:
            self._transport.write(close_frame(event.code))
        self._hang_up()

    def _break(self, code: CloseCode, reason: str) -> None:
        """The peer breaks the protocol: nothing that it sends makes sense any more."""
        if not self.closing:
            if self._listener is not None:
                self._listener.fault(code, reason)
            self._transport.write(close_frame(code, reason))
        self._linger()

    def _linger(self) -> None:
        """Write no more, and pass over what comes until the peer hangs up: to close upon bytes that nobody has read
        resets the connection, and the peer would lose the frame that tells it why."""
        if not self._transport.can_write_eof():
            self._hang_up()
            return
        self._transport.write_eof()
        self.resume()
        self._shut()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LINGER, self._transport.abort)
        self._let_go()

    def _hang_up(self) -> None:
        """Close once everything is written; where the peer does not read it, cut."""
        self._shut()
        self._transport.close()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(CLOSE_WITHIN, self._transport.abort)
        self._let_go()

    def _shut(self) -> None:
        self.closing, self.flow = True, None

    def _let_go(self) -> None:
        self._wake()
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.gone()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


class _Opening:
    """The opening request as an ASGI conversation, and what is written before it ends; dropped then."""

    def __init__(
        self, protocol: LeanProtocol, config: Config, server_state: ServerState, app_state: dict[str, Any]
    ) -> None:
        self._early = bytearray()
        self._held = bytearray()
        self._protocol = protocol
        self._config = config
        self._state = server_state
        self._app_state = app_state
        self._key = b""
        self._answered = False
        self._denial: Message | None = None
        self._body = b""
        self._releasing: asyncio.TimerHandle | None = None

    @property
    def accepted(self) -> bool:
        """Whether there is a 101 that waits to be written."""
        return bool(self._held)

    def begin(self, method: bytes, target: bytes, headers: upgrade.Headers, server: Local, client: Remote) -> None:
        """Ask the application."""
        try:
            head = upgrade.head_of(target, headers)
            self._key = upgrade.key_of(method, head)
        except Refused as refusal:
            self._protocol.answer(upgrade.refused(refusal))
            return
        task = asyncio.get_running_loop().create_task(self._serve(self._scope(head, server, client)))
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

    def data_received(self, data: bytes) -> None:
        """What an impatient client sends before it is accepted."""
        self._early += data
        self._protocol.pause()
        if len(self._early) > _EARLY_AT_MOST:
            self._protocol.answer(upgrade.answered(HTTPStatus.BAD_REQUEST, (), b""))

    def hold(self, data: bytes) -> None:
        """Write this at the end of the conversation, which may wait for a store, or soon."""
        if self._releasing is None:
            self._releasing = asyncio.get_running_loop().call_later(HOLD, self._protocol.release)
        self._held += data

    def let_go(self) -> tuple[bytes, bytes]:
        """What was held, and what has come too early."""
        if self._releasing is not None:
            self._releasing.cancel()
            self._releasing = None
        return bytes(self._held), bytes(self._early)

    def _scope(self, head: Head, server: Local, client: Remote) -> dict[str, Any]:
        root_path = self._config.root_path
        return {
            "type": "websocket",
            "asgi": {"version": self._config.asgi_version, "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "wss" if is_ssl(self._protocol.transport) else "ws",
            "server": server,
            "client": client,
            "root_path": root_path,
            "path": root_path + head.path,
            "raw_path": root_path.encode("ascii") + head.raw_path,
            "query_string": head.query,
            "headers": head.headers,
            "subprotocols": head.listed(b"sec-websocket-protocol"),
            "state": self._app_state.copy(),
            "extensions": {"websocket.http.response": {}, EXTENSION: self._protocol},
        }

    async def _serve(self, scope: dict[str, Any]) -> None:
        protocol = self._protocol
        app = cast("Callable[..., Any]", self._config.loaded_app)
        try:
            await app(scope, self._receive, self._send)
            if not self._answered:
                raise RuntimeError("the application returned without an answer")
        except Exception:
            log.exception("a WebSocket could not be opened")
            if self._answered:
                protocol.close(CloseCode.INTERNAL, "something went wrong inside: come back and resume")
            else:
                protocol.answer(upgrade.answered(HTTPStatus.INTERNAL_SERVER_ERROR, (), b""))
        finally:
            protocol.opened()

    async def _receive(self) -> Message:
        """The request; what comes afterwards goes to the listener."""
        return {"type": "websocket.connect"}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if self._answered:
            raise RuntimeError(f"{kind} after the answer: frames are the wire's to write")
        defaults = self._state.default_headers
        if kind == "websocket.accept":
            self._answered = True
            headers = (*defaults, *message.get("headers", ()))
            answer = upgrade.accepted(self._key, message.get("subprotocol"), headers)
            self._protocol.accept(answer)
        elif kind == "websocket.close":
            self._answered = True
            self._protocol.answer(upgrade.answered(HTTPStatus.FORBIDDEN, defaults, b""))
        elif kind == "websocket.http.response.start":
            self._denial = message
        elif kind == "websocket.http.response.body" and self._denial is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                self._answered = True
                headers = (*defaults, *self._denial.get("headers", ()))
                self._protocol.answer(upgrade.answered(self._denial["status"], headers, self._body))
        else:
            raise RuntimeError(f"{kind} is no answer to an opening handshake")
