"""Requests as attackers write them, byte by byte: smuggled, endless, slow, for another host."""

from __future__ import annotations

import socket

import pytest

from convex_gateway.body_limit import INGEST_LIMIT, LIMIT
from convex_gateway.head_limit import LARGEST, MOST_HEADERS
from tests.support.gateways import GatewayProcess

pytestmark = pytest.mark.timeout(120)


def talk(gateway: GatewayProcess, request: bytes, *, most: int = 1 << 20) -> bytes:
    """Everything that is answered until the server hangs up."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
        answer = b""
        try:
            connection.sendall(request)
            while len(answer) < most and (piece := connection.recv(65_536)):
                answer += piece
        except (ConnectionResetError, BrokenPipeError):
            pass
    return answer


def statuses(answer: bytes) -> list[int]:
    """Of every response in it."""
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


HOST = b"Host: gateway\r\n"
POST = b"POST /api/v1/rules HTTP/1.1\r\n" + HOST
HIDDEN = b"GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n"
REFUSED: dict[str, bytes] = {
    "a length beside chunks": POST
    + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "chunks beside a length": POST
    + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + HIDDEN,
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + HIDDEN,
    "the same length twice": POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
    "a list of lengths": POST + b"Content-Length: 0, 44\r\n\r\n" + HIDDEN,
    "a signed length": POST + b"Content-Length: +5\r\n\r\nabcde",
    "a length of words": POST + b"Content-Length: 0x5\r\n\r\nabcde",
    "chunks under another name": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks twice": POST
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"GET /healthz HTTP/1.1\r\n" + HOST + b"Content-Length : 5\r\n\r\nabcde",
    "a folded header": b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-A: b\r\n Content-Length: 5\r\n\r\nabcde",
    "NUL in a header": b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-A: b\0c\r\n\r\n",
    "CR in a header": b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-A: b\rX-B: c\r\n\r\n",
    "no name of a header": b"GET /healthz HTTP/1.1\r\n" + HOST + b": b\r\n\r\n",
    "a broken chunk": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /healthz HTTP/1.1\r\nHost: gateway\r\nHost: evil.example\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "another HTTP": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an invented method": b"GETS /healthz HTTP/1.1\r\n" + HOST + b"\r\n",
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_two_servers_could_read_in_two_ways_is_refused_and_ends_the_connection(
    gateway: GatewayProcess, case: str
) -> None:
    answer = talk(gateway, REFUSED[case])
    assert statuses(answer) == [400], answer[:500]
    assert b"ok\n" not in answer


def test_a_head_has_bounds(gateway: GatewayProcess) -> None:
    def head(headers: bytes) -> list[int]:
        return statuses(talk(gateway, b"GET /healthz HTTP/1.1\r\nConnection: close\r\n" + HOST + headers + b"\r\n"))

    assert head(b"X-A: " + b"a" * (LARGEST // 2) + b"\r\n") == [200]
    assert head(b"X-A: " + b"a" * LARGEST + b"\r\n") == [431]
    assert head(b"".join(b"X-%d: a\r\n" % number for number in range(MOST_HEADERS - 2))) == [200]
    assert head(b"".join(b"X-%d: a\r\n" % number for number in range(MOST_HEADERS + 1))) == [431]
    path = b"GET /" + b"a" * LARGEST + b" HTTP/1.1\r\n" + HOST + b"\r\n"
    assert statuses(talk(gateway, path)) == [431]


@pytest.mark.parametrize("start", [b"GET /healthz HTTP/1.1\r\nX-A: ", b"GET /", b"GET /healthz HTTP/1.1\r\n"])
def test_a_head_that_never_ends_is_cut_off(gateway: GatewayProcess, start: bytes) -> None:
    """The parser would gather it for ever, and ask nobody."""
    piece = b"a: b\r\n" * 10_000 if start.endswith(b"\n") else b"a" * 60_000
    sent = 0
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
        connection.sendall(start)
        try:
            while sent < 1000 * len(piece):
                connection.sendall(piece)
                sent += len(piece)
        except OSError:
            pass
    assert sent < 1000 * len(piece), "60 megabytes of it were taken"


@pytest.mark.parametrize(
    ("path", "limit"), [("/api/v1/rules", LIMIT), ("/auth/session", LIMIT), ("/api/v1/triggers", INGEST_LIMIT)]
)
def test_bodies_are_refused_before_anybody_reads_them(gateway: GatewayProcess, path: str, limit: int) -> None:
    start = b"POST " + path.encode() + b" HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
    announced = talk(gateway, start + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % (limit + 1))
    assert statuses(announced) in ([413], [401])
    assert statuses(announced) == [413] or path == "/api/v1/triggers", "who is nobody is told so first there"
    chunk = b"%x\r\n%s\r\n" % (65_536, b" " * 65_536)
    chunked = (
        start
        + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        + chunk * (limit // 65_536 + 2)
        + b"0\r\n\r\n"
    )
    expected = [413] if path == "/auth/session" else [401]
    assert statuses(talk(gateway, chunked)) in (expected, []), "answered, or cut off while we still wrote"


def test_pipelined_requests_are_answered_in_order(gateway: GatewayProcess) -> None:
    both = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\nGET /nothing HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n"
    assert statuses(talk(gateway, both)) == [200, 404]


def test_a_connection_serves_many_requests_however_large(gateway: GatewayProcess) -> None:
    """What counts is each head by itself."""
    body = b" " * 200_000
    one = b"POST /auth/session HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    last = b"GET /healthz HTTP/1.1\r\nConnection: close\r\n" + HOST + b"X-A: " + b"a" * 30_000 + b"\r\n\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
        for _ in range(5):
            connection.sendall(one)
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += connection.recv(65_536)
            assert statuses(answer) == [400]
        for piece in (last[:20_000], last[20_000:]):
            connection.sendall(piece)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
    assert statuses(answer)[-1] == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", 'gateway"><script>', "127.0.0.1@evil.example"])
def test_no_answer_repeats_the_host(gateway: GatewayProcess, host: str) -> None:
    for path in ("/", "/docs", "/nothing", "/api/v1/me", "/auth/session", "/auth/oidc/login", "/openapi.json"):
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Host: {host}\r\nConnection: close\r\n\r\n"
        assert b"evil" not in talk(gateway, request.encode(), most=4 << 20), path
