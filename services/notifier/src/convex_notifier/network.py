"""The way out: connections to permitted addresses only, and everything on them within one deadline."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Final

import certifi
import httpcore

from convex_common.errors import ConvexError
from convex_notifier.domain.egress import Egress

Resolve = Callable[[str, int], Sequence[str]]
Dial = Callable[[str, int, float], httpcore.NetworkStream]

MAX_ADDRESSES: Final = 4


class EgressRefused(ConvexError):  # noqa: N818 - as the others of the tree
    """The name leads to no address that notifications may reach."""


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name by the system's resolver, which also reads IPv4 as 0x7f.1 or 2130706433."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def dial(address: str, port: int, timeout: float) -> httpcore.NetworkStream:
    """A connection to an address, which is no name any more."""
    return httpcore.SyncBackend().connect_tcp(
        address, port, timeout, socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    )


def trusting() -> ssl.SSLContext:
    """The system's authorities (SSL_CERT_FILE is heeded) and Mozilla's, for images without any."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


class Network(httpcore.NetworkBackend):
    """Looks a name up, refuses what may not be reached, and connects to the very address that it checked.

    So a name that resolves anew to another address (DNS rebinding) gains nothing. TLS verifies the name all the same.
    What a thread does inside `until` ends by that time, however slowly the other side sends.
    """

    def __init__(
        self, egress: Egress, *, connect_timeout: float = 5.0, resolve: Resolve = resolve, dial: Dial = dial
    ) -> None:
        self._egress = egress
        self._connect_timeout = connect_timeout
        self._resolve = resolve
        self._dial = dial
        self._local = threading.local()

    @contextmanager
    def until(self, deadline: float) -> Iterator[None]:
        """Bound what this thread does on connections by `deadline`, of the monotonic clock."""
        self._local.deadline = deadline
        try:
            yield
        finally:
            del self._local.deadline

    def left(self) -> float:
        """Seconds until this thread's deadline; TimeoutError after it."""
        deadline: float = getattr(self._local, "deadline", float("inf"))
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to one of the name's permitted addresses, tried in the resolver's order."""
        try:
            end = time.monotonic() + min(self._connect_timeout, self.left())
            addresses = self._permitted(host, self._looked_up(host, port, end))
            return self._connected(addresses, port, end)
        except TimeoutError:
            raise httpcore.ConnectTimeout("no connection in time") from None

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        raise EgressRefused("Unix sockets are no destination of notifications")

    def _looked_up(self, host: str, port: int, end: float) -> Sequence[str]:
        """On a thread of its own, since the system's resolver cannot be told when to give up."""
        answer: Future[Sequence[str]] = Future()

        def look_up() -> None:
            try:
                answer.set_result(self._resolve(host, port))
            except Exception as error:
                answer.set_exception(error)

        threading.Thread(target=look_up, name="resolver", daemon=True).start()
        try:
            return answer.result(timeout=max(0.0, end - time.monotonic()))
        except TimeoutError:
            raise httpcore.ConnectTimeout("the name was not resolved in time") from None
        except (OSError, ValueError) as error:
            told = getattr(error, "strerror", None) or str(error)
            raise httpcore.ConnectError(f"the name cannot be resolved ({told})") from None

    def _permitted(self, host: str, addresses: Sequence[str]) -> list[str]:
        permitted = [address for address in addresses if self._egress.permits(host, address)]
        if not permitted:
            raise EgressRefused(
                "its host leads to an address that is not public", cure="name the network or host in EGRESS_ALLOW"
            )
        return permitted[:MAX_ADDRESSES]

    def _connected(self, addresses: Sequence[str], port: int, end: float) -> httpcore.NetworkStream:
        for tried, address in enumerate(addresses, 1):
            left = end - time.monotonic()
            if left <= 0:
                break
            try:
                share = left / (len(addresses) - tried + 1)
                return _BoundedStream(self._dial(address, port, share), self)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if tried == len(addresses):
                    raise
        raise httpcore.ConnectTimeout("no connection in time")


class _BoundedStream(httpcore.NetworkStream):
    """A stream whose every operation also keeps its thread's deadline."""

    def __init__(self, stream: httpcore.NetworkStream, network: Network) -> None:
        self._stream = stream
        self._network = network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._bounded(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Piece by piece, since the time of one send would count anew for each."""
        connection = self._stream.get_extra_info("socket")
        rest = memoryview(buffer)
        try:
            while rest:
                connection.settimeout(self._bounded(timeout, httpcore.WriteTimeout))
                rest = rest[connection.send(rest) :]
        except TimeoutError:
            raise httpcore.WriteTimeout("the other side did not take the request in time") from None
        except OSError as error:
            raise httpcore.WriteError(str(error)) from None

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        bounded = self._bounded(timeout, httpcore.ConnectTimeout)
        return _BoundedStream(self._stream.start_tls(ssl_context, server_hostname, bounded), self._network)

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def _bounded(self, timeout: float | None, too_late: type[Exception]) -> float:
        try:
            left = self._network.left()
        except TimeoutError:
            raise too_late("the time for the whole attempt is over") from None
        return left if timeout is None else min(left, timeout)
