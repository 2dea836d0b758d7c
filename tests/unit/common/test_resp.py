"""Replies are the same however the network cut them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_common.redis.resp import ProtocolError, Replies, Reply, ReplyError, command

Plain = st.one_of(st.integers(-(2**63), 2**63 - 1), st.binary(max_size=50), st.none())
values = st.recursive(Plain, lambda inner: st.lists(inner, max_size=4), max_leaves=8)


def written(value: object) -> bytes:
    """A server's reply."""
    if isinstance(value, list):
        return b"*%d\r\n" % len(value) + b"".join(map(written, value))
    if value is None:
        return b"$-1\r\n"
    if isinstance(value, int):
        return b":%d\r\n" % value
    assert isinstance(value, bytes)
    return b"$%d\r\n%b\r\n" % (len(value), value)


@given(st.lists(values, max_size=6), st.lists(st.integers(1, 7), min_size=1))
def test_replies_survive_any_cut(expected: list[object], cuts: Sequence[int]) -> None:
    wire, replies, got, n = b"".join(map(written, expected)), Replies(), list[Reply](), 0
    while wire:
        size = cuts[n % len(cuts)]
        got += replies.feed(wire[:size])
        wire, n = wire[size:], n + 1
    assert got == expected


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=5))
def test_a_command_is_an_array_of_its_parts(parts: list[bytes]) -> None:
    assert Replies().feed(command(*parts)) == [parts]


def test_numbers_and_text_are_written_as_text() -> None:
    assert command("SET", "ä", 7) == "*3\r\n$3\r\nSET\r\n$2\r\nä\r\n$1\r\n7\r\n".encode()


def test_simple_answers_and_refusals() -> None:
    ok, refused, nothing = Replies().feed(b"+OK\r\n-NOPERM no way\r\n*-1\r\n")
    assert ok == b"OK"
    assert isinstance(refused, ReplyError)
    assert str(refused) == "NOPERM no way"
    assert nothing is None


@pytest.mark.parametrize("wire", [b"HTTP/1.1 400\r\n", b":x\r\n", b"$x\r\n"])
def test_another_protocol_is_refused(wire: bytes) -> None:
    with pytest.raises(ProtocolError):
        Replies().feed(wire)
