"""The ring holds a run without gaps, the newest of it, within its bounds."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from convex_gateway.live.entry import Entry
from convex_gateway.live.ring import Ring

FRAMEWORK = uuid.UUID(int=3)


def entry(offset: int, size: int = 10) -> Entry:
    return Entry(offset, FRAMEWORK, b"x" * size, 0.0)


def run(first: int, last: int, size: int = 10) -> list[Entry]:
    return [entry(offset, size) for offset in range(first, last + 1)]


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 20), st.integers(0, 60), st.integers(0, 60))
def test_what_it_gives_is_complete_or_nothing(older: int, newer: int, most: int, after: int, upto: int) -> None:
    ring = Ring(max_entries=most)
    for e in run(older + 1, older + newer):
        ring.append(e)
    held = min(most, newer)
    found = ring.between(after, upto)
    if after >= upto:
        assert found == []
    elif upto <= older + newer and after >= older + newer - held:
        assert found is not None
        assert [e.offset for e in found] == list(range(after + 1, upto + 1))
    else:
        assert found is None


def test_bytes_are_bounded() -> None:
    ring = Ring(max_entries=100, max_bytes=1_000)
    for e in run(1, 50, size=100):
        ring.append(e)
    assert ring.between(40, 50) is not None
    assert ring.between(39, 50) is None


def test_a_jump_begins_a_new_run() -> None:
    ring = Ring()
    for offset in (1, 2, 9, 10):
        ring.append(entry(offset))
    assert ring.between(8, 10) is not None
    assert ring.between(1, 2) is None
