"""Where a request comes from, and what credentials it brings."""

from __future__ import annotations

import pytest

from convex_gateway.live.handshake import Credentials, credentials, origin_allowed


@pytest.mark.parametrize(
    ("origin", "host", "allowed", "answer"),
    [
        pytest.param(None, "a.example", [], True, id="no browser"),
        pytest.param("https://a.example", "a.example", [], True, id="the same origin"),
        pytest.param("https://a.example:443", "a.example", [], True, id="the same, port spelled out"),
        pytest.param("http://a.example:8080", "a.example:8080", [], True, id="the same, another port"),
        pytest.param("http://A.example", "a.EXAMPLE", [], True, id="case does not matter"),
        pytest.param("http://[::1]:8080", "[::1]:8080", [], True, id="IPv6"),
        pytest.param("https://a.example:444", "a.example", [], False, id="another port"),
        pytest.param("https://evil.example", "a.example", [], False, id="another host"),
        pytest.param("https://a.example.evil.example", "a.example", [], False, id="a longer host"),
        pytest.param("null", "a.example", [], False, id="null"),
        pytest.param("", "a.example", [], False, id="empty"),
        pytest.param("https://x:99999", "a.example", ["https://b.example"], False, id="nonsense"),
        pytest.param("https://b.example", "a.example", ["https://b.example"], True, id="listed"),
        pytest.param("http://b.example", "a.example", ["https://b.example"], False, id="listed with another scheme"),
        pytest.param("https://x.b.example", "a.example", ["https://*.b.example"], True, id="by wildcard"),
        pytest.param("https://b.example", "a.example", ["https://*.b.example"], False, id="not the wildcard's root"),
        pytest.param("https://evilb.example", "a.example", ["https://*.b.example"], False, id="not a suffix"),
        pytest.param("null", "a.example", ["*"], True, id="any"),
    ],
)
def test_origins(origin: str | None, host: str, allowed: list[str], *, answer: bool) -> None:
    assert origin_allowed(origin, host, allowed) is answer


@pytest.mark.parametrize(
    ("headers", "subprotocols", "query", "found"),
    [
        pytest.param({}, [], "", Credentials(None, None, None), id="none yet"),
        pytest.param({"authorization": "Bearer t"}, [], "", Credentials("t", None, None), id="header"),
        pytest.param({"authorization": "bearer  t "}, [], "", Credentials("t", None, None), id="header, loosely"),
        pytest.param({}, ["convex.v1", "bearer.t"], "", Credentials("t", None, "convex.v1"), id="subprotocols"),
        pytest.param({}, ["bearer.t", "convex.v1"], "", Credentials("t", None, "convex.v1"), id="the other way round"),
        pytest.param({}, ["bearer.t"], "", Credentials("t", None, None), id="nothing to echo"),
        pytest.param({}, ["convex.v1"], "", Credentials(None, None, "convex.v1"), id="by frame later"),
        pytest.param({"authorization": "Bearer h"}, ["bearer.s"], "", Credentials("h", None, None), id="header first"),
        pytest.param({}, [], "x=1&theme=dark&v=1.2.3", Credentials(None, None, None), id="harmless query"),
    ],
)
def test_credentials(headers: dict[str, str], subprotocols: list[str], query: str, found: Credentials) -> None:
    assert credentials(headers, subprotocols, query) == found


@pytest.mark.parametrize(
    ("headers", "subprotocols", "query"),
    [
        pytest.param({"authorization": "Bearer t"}, [], "token=t", id="in the query, too"),
        pytest.param({}, [], "Access_Token=t", id="by another name"),
        pytest.param({}, [], "token=", id="empty in the query"),
        pytest.param({}, [], "t=eyJhbGciOi.eyJzdWIi.x-_Y", id="by any name"),
        pytest.param({}, [], "t=cvx_abc", id="an API key by any name"),
        pytest.param({"authorization": "Basic dTpw"}, [], "", id="another scheme"),
        pytest.param({"authorization": "Bearer"}, [], "", id="header without a token"),
        pytest.param({}, ["convex.v1", "bearer."], "", id="subprotocol without a token"),
    ],
)
def test_refused(headers: dict[str, str], subprotocols: list[str], query: str) -> None:
    found = credentials(headers, subprotocols, query)
    assert found.token is None
    assert found.refusal is not None
