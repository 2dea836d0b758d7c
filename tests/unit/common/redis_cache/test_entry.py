"""An entry comes back as it was put, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_common.redis.cache.entry import Corrupt, Entry, decode, encode

numbers = st.integers(0, 2**31)
entries = st.builds(Entry, numbers, st.integers(0, 2**53), st.integers(0, 2**45), st.binary(max_size=200))


@given(st.text(max_size=50), entries)
def test_it_comes_back(key: str, entry: Entry) -> None:
    assert decode(key, encode(key, entry)) == entry


@given(st.text(max_size=50), entries, st.data())
def test_no_damage_goes_unseen(key: str, entry: Entry, data: st.DataObject) -> None:
    raw = bytearray(encode(key, entry))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Corrupt):
        decode(key, bytes(raw))


@given(st.text(max_size=50), entries, st.data())
def test_no_piece_passes_for_the_whole(key: str, entry: Entry, data: st.DataObject) -> None:
    raw = encode(key, entry)
    with pytest.raises(Corrupt):
        decode(key, raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(st.text(max_size=50), st.text(max_size=50), entries)
def test_it_is_bound_to_its_key(key: str, other: str, entry: Entry) -> None:
    if key != other:
        with pytest.raises(Corrupt):
            decode(other, encode(key, entry))
