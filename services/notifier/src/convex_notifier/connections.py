"""Kept-alive HTTP connections, each used by one thread at a time."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpcore

from convex_notifier.network import Network

Origin = tuple[bytes, bytes, int]


class Connections:
    """The connection to an origin that was used last, or a new one; at most `idle` are kept, the oldest go first.

    Where httpcore's pool looks at each of its connections for each request, this looks at one.
    """

    def __init__(self, network: Network, tls: ssl.SSLContext, *, idle: int, kept_seconds: float) -> None:
        self._network = network
        self._tls = tls
        self._most = idle
        self._kept_seconds = kept_seconds
        self._lock = threading.Lock()
        self._idle: list[tuple[Origin, httpcore.HTTPConnection]] = []

    @contextmanager
    def to(self, url: httpcore.URL) -> Iterator[httpcore.HTTPConnection]:
        """A connection for one request; connects when it is used."""
        key = url.origin.scheme, url.origin.host, url.origin.port
        connection = self._kept(key) or httpcore.HTTPConnection(
            url.origin, ssl_context=self._tls, keepalive_expiry=self._kept_seconds, network_backend=self._network
        )
        try:
            yield connection
        finally:
            if connection.is_idle() and not connection.is_closed():
                self._keep(key, connection)
            else:
                connection.close()

    def close(self) -> None:
        """Close those that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def _kept(self, key: Origin) -> httpcore.HTTPConnection | None:
        while (connection := self._popped(key)) is not None:
            if not connection.has_expired():
                return connection
            connection.close()
        return None

    def _popped(self, key: Origin) -> httpcore.HTTPConnection | None:
        with self._lock:
            for place in range(len(self._idle) - 1, -1, -1):
                if self._idle[place][0] == key:
                    return self._idle.pop(place)[1]
        return None

    def _keep(self, key: Origin, connection: httpcore.HTTPConnection) -> None:
        with self._lock:
            self._idle.append((key, connection))
            oldest = self._idle[0][1]
            if len(self._idle) <= self._most and not oldest.has_expired():
                return
            del self._idle[0]
        oldest.close()
