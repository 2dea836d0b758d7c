"""What a request's head may be, before there is a request: uvicorn gathers one of any size, for any time."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, Final, Protocol, runtime_checkable

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import is_ssl

from convex_gateway.ends import Local, Remote, ends

LARGEST: Final = 64 * 1024
MOST_HEADERS: Final = 100
SECONDS: Final = 30.0
"""How long a head may take to arrive; for the first one, from the connection on."""

_SINGLE: Final = frozenset((b"host", b"content-length", b"transfer-encoding"))


@runtime_checkable
class TakesOver(Protocol):
    """A WebSocket protocol that is told what was asked instead of being given the head to read once more."""

    def asked(
        self, method: bytes, target: bytes, headers: list[tuple[bytes, bytes]], server: Local, client: Remote
    ) -> None:
        """The opening request; names in lower case."""


class HeadLimit(HttpToolsProtocol):
    """uvicorn's protocol with a bound on heads in bytes, number and time, and one Host, which HTTP/1.1 asks for.

    Here all connections begin, so what a WebSocket takes from it is as little as can be. What llhttp takes for a
    smuggled request (two lengths, a length beside chunks, broken chunks) it refuses by itself.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = False
        self._arrived = 0
        self._upgrades: bool | None = None
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Wait for a head, and not for ever. Besides that it is uvicorn's, but for how it learns of addresses."""
        self.connections.add(self)
        self.transport, self.flow = transport, FlowControl(transport)
        self.server, self.client = ends(transport)
        self.scheme = "https" if is_ssl(transport) else "http"
        self._waiting = self.loop.call_later(SECONDS, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._heard()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what has arrived of an unfinished head; the parser keeps it whole and asks nobody."""
        all_of_it = self._in_head
        super().data_received(data)
        if self.transport.is_closing() or not self._in_head:
            return
        self._arrived += len(data) if all_of_it else 0
        if self._arrived > LARGEST:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The head of the request is too large.")
        elif self._waiting is None:
            self._waiting = self.loop.call_later(SECONDS, self._too_slow)

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = True
        self._upgrades = None
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A head has ended: is it one?"""
        self._in_head = False
        self._arrived = 0
        self._heard()
        if self.transport.is_closing():
            return
        size, once = len(self.url), []
        for name, value in self.headers:
            size += len(name) + len(value)
            if name in _SINGLE:
                once.append(name)
        if size > LARGEST or len(self.headers) > MOST_HEADERS:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The head of the request is too large.")
            return
        if len(once) > len(set(once)):
            self._refuse(HTTPStatus.BAD_REQUEST, "A header is given twice that a request has once.")
            return
        if b"host" not in once and self.parser.get_http_version() == "1.1":
            self._refuse(HTTPStatus.BAD_REQUEST, "There is no Host header.")
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Nothing of a request that was refused."""
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The same."""
        if not self.transport.is_closing():
            super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """The same. Then another protocol has the connection, and this one must not stay in a cycle with its parser."""
        if self.transport.is_closing():
            return
        if isinstance(self.ws_protocol_class, type) and issubclass(self.ws_protocol_class, TakesOver):
            self._hand_over(self.ws_protocol_class)
        else:
            super().handle_websocket_upgrade()
        self.parser = None  # type: ignore[assignment]  # as uvicorn does when a connection is lost
        del self.scope, self.headers

    def _should_upgrade(self) -> bool:
        """Whether this head asks for a WebSocket: uvicorn wants to know it three times of each."""
        if self._upgrades is None or self._in_head:
            self._upgrades = super()._should_upgrade()
        return self._upgrades

    def _hand_over(self, kind: Any) -> None:
        self.connections.discard(self)
        protocol = kind(self.config, self.server_state, self.app_state)
        protocol.connection_made(self.transport)
        protocol.asked(self.parser.get_method(), self.url, self.headers, self.server, self.client)
        self.transport.set_protocol(protocol)

    def _heard(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _too_slow(self) -> None:
        self._waiting = None
        if self._in_head and not self.transport.is_closing():
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "The head of the request took too long.")
        else:  # browsers open connections that they may not need
            self.transport.close()

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        """Answer by ourselves and hang up: after such a head nobody knows where the next request begins."""
        body = f"{message}\n".encode("ascii")
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()
