"""Which addresses are taken, as a table."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_common.domain.mailbox import Mailbox


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("ops@example.com", "ops@example.com"),
        ("Ops.Team+pager@EXAMPLE.com", "Ops.Team+pager@example.com"),
        ("o'neil@example.com", "o'neil@example.com"),
        ("root@mailhost", "root@mailhost"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
        ("a@ＥＸＡＭＰＬＥ.com", "a@example.com"),
        ("jörg@example.com", "jörg@example.com"),
        ("jo\u0308rg@example.com", "jörg@example.com"),
        ("用户@例子.example", "用户@xn--fsqu00a.example"),
    ],
)
def test_these_are(given: str, address: str) -> None:
    assert Mailbox.parse(given).address == address


@pytest.mark.parametrize(
    "given",
    [
        "",
        "@",
        "ops",
        "ops@",
        "@example.com",
        "a@b@example.com",
        "a b@example.com",
        "a.@example.com",
        ".a@example.com",
        "a..b@example.com",
        '"a b"@example.com',
        "Ops <ops@example.com>",
        "ops@example.com,more@example.com",
        "ops@example.com\r\nBcc: all@example.com",
        "ops\n@example.com",
        "ops\x00@example.com",
        "ops\u202e@example.com",
        "ops@exa mple.com",
        "ops@example.com.",
        "ops@-example.com",
        "ops@exa_mple.com",
        "ops@[127.0.0.1]",
        "ops@example..com",
        "ops@" + "a" * 64 + ".com",
        "a" * 65 + "@example.com",
        "ö" * 33 + "@example.com",
        "a" * 64 + "@" + ".".join(["b" * 60] * 4) + ".com",
    ],
)
def test_these_are_not(given: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words are for people
        Mailbox.parse(given)


@given(st.text(max_size=80) | st.tuples(st.text(max_size=40), st.text(max_size=40)).map("@".join))
def test_anything_is_taken_or_refused_and_what_is_taken_is_one_line(text: str) -> None:
    with contextlib.suppress(ValueError):
        address = Mailbox.parse(text).address
        assert address.isprintable()
        assert not set(address) & set(' <>,;"')
        assert Mailbox.parse(address).address == address
