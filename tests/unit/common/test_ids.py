"""Ids grow, whatever the clock and however many threads."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from convex_common.ids import Ids, floor, milliseconds

MILLISECOND = 1_000_000


@given(st.lists(st.tuples(st.integers(0, 2**41), st.integers(1, 50)), min_size=1, max_size=20))
def test_ids_ascend_even_if_the_clock_steps_back(takes: list[tuple[int, int]]) -> None:
    clock = iter([ms * MILLISECOND for ms, _ in takes])
    ids = Ids(lambda: next(clock))
    taken = [taken for _, count in takes for taken in ids.take(count)]
    assert all(a < b for a, b in pairwise(taken))
    assert all(i.version == 7 and i.variant == uuid.RFC_4122 for i in taken)


@given(st.integers(0, 2**48 - 1))
def test_an_id_lies_between_the_floors_of_its_millisecond_and_the_next(ms: int) -> None:
    taken = Ids(lambda: ms * MILLISECOND).new()
    assert milliseconds(taken) == milliseconds(floor(ms)) == ms
    assert Ids.floor(ms) == floor(ms) <= taken
    assert taken.int < floor(ms).int + (1 << 80)


def test_threads_share_no_id() -> None:
    ids = Ids()
    with ThreadPoolExecutor(8) as pool:
        batches = list(pool.map(ids.take, [500] * 40))
    assert len({i for batch in batches for i in batch}) == 40 * 500
    assert all(batch == sorted(batch) for batch in batches)


def test_two_processes_of_one_millisecond_differ() -> None:
    assert Ids(lambda: 0).new() != Ids(lambda: 0).new()


def test_a_thousand_take_no_time_to_speak_of() -> None:
    ids = Ids()

    def took() -> float:
        began = time.thread_time()  # whatever else the machine does
        ids.take(1000)
        return time.thread_time() - began

    assert min(took() for _ in range(50)) < 0.005
