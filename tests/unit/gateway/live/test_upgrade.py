"""Opening handshakes, and what is none."""

from __future__ import annotations

import pytest

from convex_gateway.live import upgrade
from convex_gateway.live.upgrade import Head, Refused

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="


def head(*lines: bytes, target: bytes = b"/ws") -> Head:
    pairs = (line.split(b": ", 1) for line in lines)
    return upgrade.head_of(target, [(name, value) for name, value in pairs])


def test_the_answer_is_that_of_the_rfc() -> None:
    answer = upgrade.accepted(KEY, "convex.v1", [(b"date", b"now")])
    assert answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer
    assert b"\r\nSec-WebSocket-Protocol: convex.v1\r\ndate: now\r\n\r\n" in answer


def test_a_head_is_read_as_asgi_has_it() -> None:
    read = head(b"host: a ", b"sec-websocket-protocol: a, b", b"sec-websocket-protocol: c", target=b"/w%20s?a=b%20c")
    assert (read.path, read.raw_path, read.query) == ("/w s", b"/w%20s", b"a=b%20c")
    assert read.headers[0] == (b"host", b"a")
    assert read.listed(b"sec-websocket-protocol") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("method", "lines", "status"),
    [
        (b"POST", [b"sec-websocket-version: 13", b"sec-websocket-key: " + KEY], 405),
        (b"GET", [b"sec-websocket-key: " + KEY], 426),
        (b"GET", [b"sec-websocket-version: 8", b"sec-websocket-key: " + KEY], 426),
        (b"GET", [b"sec-websocket-version: 13"], 400),
        (b"GET", [b"sec-websocket-version: 13", b"sec-websocket-key: short"], 400),
        (b"GET", [b"sec-websocket-version: 13", b"sec-websocket-key: !" + KEY], 400),
        (b"GET", [b"sec-websocket-version: 13", *[b"sec-websocket-key: " + KEY] * 2], 400),
    ],
)
def test_what_is_no_handshake_is_told_why(method: bytes, lines: list[bytes], status: int) -> None:
    with pytest.raises(Refused) as refused:
        upgrade.key_of(method, head(*lines))
    answer = upgrade.refused(refused.value)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert (b"sec-websocket-version: 13" in answer) == (status == 426)


def test_an_answer_ends_the_connection_and_counts_its_bytes() -> None:
    answer = upgrade.answered(503, [(b"Content-Length", b"99"), (b"retry-after", b"1")], b"later")
    assert answer == (
        b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlater"
    )
