"""Connections are kept for their origin, and no longer than they are good for."""

from __future__ import annotations

import ssl
from collections.abc import Sequence

import httpcore
import pytest

from convex_notifier.connections import Connections
from convex_notifier.domain.egress import Egress
from convex_notifier.network import Network

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LAST = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class Stream(httpcore.MockStream):
    """A stream that stays open, writes into the void, and can be seen to be closed."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        super().__init__([])
        self.answers = list(answers)
        self.closed = False
        self.hung_up = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.answers.pop(0) if self.answers else b""

    def close(self) -> None:
        self.closed = True

    def get_extra_info(self, info: str) -> object:
        return self.hung_up if info == "is_readable" else None


class Way(Network):
    """Connects to a new stream each time."""

    def __init__(self, *answers: bytes) -> None:
        super().__init__(Egress())
        self._answers = answers or (OK,) * 10
        self.streams: list[Stream] = []

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *_: object, **__: object) -> Stream:
        if host == "refused":
            raise httpcore.ConnectError("refused")
        self.streams.append(Stream(self._answers))
        return self.streams[-1]


def connections(way: Way, *, idle: int = 4, kept_seconds: float = 60.0) -> Connections:
    return Connections(way, ssl.create_default_context(), idle=idle, kept_seconds=kept_seconds)


def get(kept: Connections, host: str = "a", port: int = 80) -> int:
    url = httpcore.URL(scheme=b"http", host=host.encode(), port=port, target=b"/")
    with kept.to(url) as connection, connection.stream("GET", url) as response:
        response.read()
        return response.status


def test_a_connection_is_used_again() -> None:
    way = Way()
    kept = connections(way)
    assert [get(kept) for _ in range(3)] == [200] * 3
    assert len(way.streams) == 1


def test_another_origin_gets_another() -> None:
    way = Way()
    kept = connections(way)
    for host, port in (("a", 80), ("b", 80), ("a", 81), ("a", 80)):
        get(kept, host, port)
    assert len(way.streams) == 3


def test_what_the_other_side_closes_is_not_kept() -> None:
    way = Way(LAST)
    kept = connections(way)
    get(kept)
    assert way.streams[0].closed
    get(kept)
    assert len(way.streams) == 2


def test_what_was_hung_up_meanwhile_is_replaced() -> None:
    way = Way()
    kept = connections(way)
    get(kept)
    way.streams[0].hung_up = True
    get(kept)
    assert (len(way.streams), way.streams[0].closed) == (2, True)


def test_what_was_idle_too_long_is_replaced() -> None:
    way = Way()
    kept = connections(way, kept_seconds=-1.0)
    get(kept)
    get(kept)
    assert [stream.closed for stream in way.streams] == [True, True]


def test_the_oldest_of_too_many_goes() -> None:
    way = Way()
    kept = connections(way, idle=2)
    for host in "abc":
        get(kept, host)
    assert [stream.closed for stream in way.streams] == [True, False, False]


def test_an_answer_that_was_not_read_to_its_end_ends_the_connection() -> None:
    way = Way(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nxx")
    kept = connections(way)
    url = httpcore.URL("http://a/")
    with kept.to(url) as connection, connection.stream("GET", url):
        pass
    assert way.streams[0].closed


def test_a_connection_that_failed_is_not_kept() -> None:
    way = Way()
    kept = connections(way)
    for _ in range(2):
        with pytest.raises(httpcore.ConnectError):
            get(kept, "refused")
    assert way.streams == []


def test_closing_closes_those_that_nobody_uses() -> None:
    way = Way()
    kept = connections(way)
    get(kept)
    kept.close()
    assert way.streams[0].closed
