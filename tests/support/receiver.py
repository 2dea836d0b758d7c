"""A real HTTP receiver that records what it gets and answers as it is told: late, refusing, dripping or not at all."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

import pytest

T = TypeVar("T")


@dataclass(frozen=True)
class Received:
    """One request: header names in lower case, the time by the monotonic clock when it had arrived whole."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        """Its webhook-id."""
        return self.headers["webhook-id"]

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """How to answer. `delay` in seconds before the status; `drip` between the bytes of status and body; `disconnect`
    resets the connection instead of answering."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    delay: float = 0.0
    drip: float = 0.0
    disconnect: bool = False


class Receiver:
    """A server on a free port of the loopback, with a thread per connection.

    `script(...)` queues replies for the next requests, of any path or of one; without any, `default` is given.
    """

    def __init__(self, default: Reply | None = None, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.default = default or Reply()
        self._changed = threading.Condition()
        self._received: list[Received] = []
        self._scripts: dict[str | None, deque[Reply]] = {}
        self._under_way = 0
        self.most_at_once = 0
        self._server = _Server(("127.0.0.1", port), _handler(self))
        self._scheme = "https" if tls else "http"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        return f"{self._scheme}://{host}:{self.port}{path}"

    def script(self, *replies: Reply, path: str | None = None) -> None:
        """Answer the next requests (to `path`) so, in this order."""
        with self._changed:
            self._scripts.setdefault(path, deque()).extend(replies)

    @property
    def received(self) -> list[Received]:
        """Every request so far, in the order of arrival."""
        with self._changed:
            return list(self._received)

    def at(self, path: str) -> list[Received]:
        """The requests to one path."""
        return [request for request in self.received if request.path == path]

    def wait_for(self, predicate: Callable[[list[Received]], T], deadline: float = 10.0) -> T:
        """The first true answer of `predicate` about the requests so far; AssertionError after `deadline` seconds."""
        end = time.monotonic() + deadline
        with self._changed:
            while not (answer := predicate(list(self._received))):
                assert self._changed.wait(end - time.monotonic()), (
                    f"not received within {deadline:g} s; there were {len(self._received)} requests"
                )
            return answer

    def wait_for_count(self, count: int, deadline: float = 10.0) -> list[Received]:
        """The requests once there are so many."""
        return self.wait_for(lambda requests: requests if len(requests) >= count else None, deadline) or []

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def take(self, request: Received) -> Reply:
        """Record a request; how to answer it."""
        with self._changed:
            self._received.append(request)
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
            self._changed.notify_all()
            for path in (request.path, None):
                if script := self._scripts.get(path):
                    return script.popleft()
            return self.default

    def done(self) -> None:
        with self._changed:
            self._under_way -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        """Quiet: tests break connections on purpose."""


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = receiver.take(Received(self.command, self.path, headers, body, time.monotonic()))
            try:
                self._answer(reply)
            finally:
                receiver.done()

        do_GET = do_POST = do_PUT = do_HEAD = handle_any  # noqa: N815 - the base class wants them so

        def _answer(self, reply: Reply) -> None:
            if reply.delay:
                time.sleep(reply.delay)
            if reply.disconnect:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            if reply.drip:
                self._drip(reply)
                return
            self.end_headers()
            self.wfile.write(reply.body)

        def _drip(self, reply: Reply) -> None:
            head = b"".join(self._headers_buffer) + b"\r\n"
            self._headers_buffer: list[bytes] = []
            with contextlib.suppress(OSError):
                for byte in head + reply.body:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(reply.drip)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            pass

    return Handler


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.close()
