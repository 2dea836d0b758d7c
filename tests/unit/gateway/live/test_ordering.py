"""Every offset once and in order, whatever order, repetition and loss the frames come in."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convex_gateway.live.entry import Entry
from convex_gateway.live.ordering import Gap, Ordering, Standing

EPOCH, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)
FRAMEWORK = uuid.UUID(int=3)


def entry(offset: int) -> Entry:
    return Entry(offset, FRAMEWORK, b'{"offset":%d}' % offset, 0.0)


def offsets(entries: list[Entry]) -> list[int]:
    return [e.offset for e in entries]


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[int, int, list[int]]:
    """A start, a last offset, and what of the offsets in between arrives: shuffled, repeated, some lost."""
    start = draw(st.integers(1, 1_000))
    last = start + draw(st.integers(0, 60))
    every = st.integers(max(1, start - 5), last)
    return start, last, draw(st.lists(every, max_size=150))


@given(arrivals(), st.integers(1, 20), st.integers(1, 7))
@settings(max_examples=500, deadline=None)
def test_every_offset_comes_out_once_in_order(
    case: tuple[int, int, list[int]], max_ahead: int, fill_at_once: int
) -> None:
    start, last, arriving = case
    ordering = Ordering(EPOCH, start, max_ahead=max_ahead)
    out: list[int] = []
    for number, offset in enumerate(arriving):
        out += offsets(ordering.offer(entry(offset)))
        gap = ordering.gap()
        if gap is not None and number % 11 == 0:
            part = Gap(gap.first, min(gap.last, gap.first + fill_at_once - 1))
            out += offsets(ordering.fill(part, [entry(o) for o in range(part.first, part.last + 1)]))
    assert ordering.learn(EPOCH, last, seen_before=ordering.known) is Standing.SAME_EPOCH
    while (gap := ordering.gap()) is not None:
        part = Gap(gap.first, min(gap.last, gap.first + fill_at_once - 1))
        out += offsets(ordering.fill(part, [entry(o) for o in range(part.first, part.last + 1)]))
    assert out == list(range(start + 1, last + 1))
    assert ordering.position == ordering.known == last
    assert ordering.lost == 0


@given(st.permutations(range(11, 31)))
def test_any_permutation_needs_no_filling(order: list[int]) -> None:
    ordering = Ordering(EPOCH, 10)
    out = [e.offset for offset in order for e in ordering.offer(entry(offset))]
    assert out == list(range(11, 31))
    assert ordering.gap() is None


def test_an_entry_that_comes_while_its_gap_is_read_is_not_told_twice() -> None:
    ordering = Ordering(EPOCH, 0)
    assert ordering.offer(entry(3)) == []
    gap = ordering.gap()
    assert gap == Gap(1, 2)
    assert offsets(ordering.offer(entry(1))) == [1]
    assert offsets(ordering.fill(gap, [entry(1), entry(2)])) == [2, 3]
    assert ordering.offer(entry(2)) == []


def test_a_gap_that_closed_meanwhile_is_filled_to_no_effect() -> None:
    ordering = Ordering(EPOCH, 0)
    ordering.offer(entry(2))
    assert offsets(ordering.offer(entry(1))) == [1, 2]
    assert ordering.fill(Gap(1, 1), [entry(1)]) == []
    assert ordering.position == 2


def test_what_the_log_does_not_have_is_passed_over_and_counted() -> None:
    ordering = Ordering(EPOCH, 0)
    ordering.offer(entry(4))
    assert offsets(ordering.fill(Gap(1, 3), [entry(2)])) == [2, 4]
    assert ordering.lost == 2


def test_a_position_ahead_is_a_gap_without_any_frame() -> None:
    ordering = Ordering(EPOCH, 7)
    assert ordering.gap() is None
    assert ordering.learn(EPOCH, 9, seen_before=7) is Standing.SAME_EPOCH
    assert ordering.gap() == Gap(8, 9)


@pytest.mark.parametrize(
    ("epoch", "position", "seen_before", "standing"),
    [
        pytest.param(EPOCH, 5, 5, Standing.SAME_EPOCH, id="nothing new"),
        pytest.param(EPOCH, 4, 4, Standing.SAME_EPOCH, id="the answer is older than what came since"),
        pytest.param(EPOCH, 4, 5, Standing.WENT_BACK, id="the log has less than it had"),
        pytest.param(OTHER, 9, 5, Standing.EPOCH_CHANGED, id="another epoch"),
    ],
)
def test_standing(epoch: uuid.UUID, position: int, seen_before: int, standing: Standing) -> None:
    ordering = Ordering(EPOCH, 5)
    assert ordering.learn(epoch, position, seen_before=seen_before) is standing
    assert ordering.position == 5
    assert ordering.gap() is None
