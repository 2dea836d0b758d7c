"""Redis URLs are read as redis-py reads them."""

from __future__ import annotations

import ssl

import pytest

from convex_common.errors import Invalid
from convex_common.redis.address import Address


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "username", "password", "database"),
    [
        pytest.param("redis://h", "h", 6379, None, None, None, 0, id="shortest"),
        pytest.param("redis://h:7/3", "h", 7, None, None, None, 3, id="port and database"),
        pytest.param("redis://:p%40w@h/0", "h", 6379, None, None, "p@w", 0, id="password"),
        pytest.param("redis://u:p@h?db=2", "h", 6379, None, "u", "p", 2, id="user, database by query"),
        pytest.param("redis://[::1]:7/", "::1", 7, None, None, None, 0, id="IPv6"),
        pytest.param("unix:///run/v.sock?db=1", "localhost", 6379, "/run/v.sock", None, None, 1, id="socket"),
    ],
)
def test_parts(
    url: str, host: str, port: int, path: str | None, username: str | None, password: str | None, database: int
) -> None:
    assert Address.parse(url) == Address(host, port, path, username, password, database, tls=None)
    assert "p@w" not in repr(Address.parse(url))


def test_tls_is_checked_unless_told_otherwise() -> None:
    strict, lenient = Address.parse("rediss://h").tls, Address.parse("rediss://h?ssl_cert_reqs=none").tls
    assert strict is not None
    assert lenient is not None
    assert (strict.verify_mode, strict.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (lenient.verify_mode, lenient.check_hostname) == (ssl.CERT_NONE, False)


@pytest.mark.parametrize(
    "url", ["", "h:6379", "http://h", "redis://h:x", "redis://h/x", "rediss://h?ssl_cert_reqs=maybe"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Invalid, match="is no Redis address"):
        Address.parse(url)
