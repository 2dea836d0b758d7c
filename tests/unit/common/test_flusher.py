"""The flusher against a store that is away, forgets to answer, or comes late."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from uuid import UUID

import pytest

from convex_common.measures import Measures
from convex_common.redis.flusher import Flusher
from convex_common.redis.measures import Batch
from tests.support.eventually import eventually

HERE = uuid.uuid4()


class Store:
    """Adds each number once, as the real one does; `fails` names what goes wrong before or after it has added."""

    def __init__(self) -> None:
        self.minutes: Counter[int] = Counter()
        self.batches: list[Batch] = []
        self.beats: list[dict[tuple[UUID, str], int]] = []
        self.left = False
        self.fails: str | None = None
        self._done = 0

    def add(self, batch: Batch) -> None:
        if self.fails == "before":
            raise TimeoutError("away")
        self.batches.append(batch)
        if batch.sequence > self._done:
            self._done = batch.sequence
            self.minutes[batch.minute] += batch.deltas.counts.total()
        if self.fails == "after":
            raise ConnectionResetError("the answer was lost")

    def beat(self, levels: dict[tuple[UUID, str], int]) -> None:
        self.beats.append(levels)

    def leave(self) -> None:
        self.left = True


class Bench:
    def __init__(self, **options: bool) -> None:
        self.measures, self.store, self.now = Measures(), Store(), 0.0
        self.flusher = Flusher(self.measures, self.store, clock=lambda: self.now, every=0.01, **options)

    def count(self, minute: int, by: int = 1) -> None:
        self.now = 60.0 * minute
        self.measures.count(HERE, "ws_sent", by=by)


def test_nothing_measured_sends_nothing() -> None:
    bench = Bench()
    assert bench.flusher.flush()
    assert not bench.store.batches
    assert not bench.store.beats


@pytest.mark.parametrize("fails", ["before", "after"])
def test_a_flush_that_failed_is_made_up_for_once_and_to_its_minute(fails: str) -> None:
    bench = Bench()
    bench.store.fails = fails
    for minute in (1, 1, 2, 3):
        bench.count(minute)
        assert not bench.flusher.flush()
    bench.store.fails = None
    bench.count(3, by=10)
    assert bench.flusher.flush()
    assert bench.store.minutes == {1: 2, 2: 1, 3: 11}
    assert [batch.sequence for batch in bench.store.batches] == sorted(batch.sequence for batch in bench.store.batches)


def test_what_waits_has_a_bound_and_loses_nothing() -> None:
    bench = Bench()
    bench.store.fails = "before"
    for minute in range(100):
        bench.count(minute)
        assert not bench.flusher.flush()
    assert len(bench.flusher._waiting) <= 20
    bench.store.fails = None
    assert bench.flusher.flush()
    assert bench.store.minutes.total() == 100
    assert bench.store.minutes[99] == bench.store.minutes[95] == 1


def test_a_thread_that_is_stopped_flushes_last_and_leaves() -> None:
    bench = Bench(levels=True)
    bench.measures.rise(HERE, "ws_clients", 3)
    bench.flusher.start()
    eventually(lambda: bench.store.beats)
    bench.count(1)
    bench.flusher.stop()
    assert bench.store.minutes == {1: 1}
    assert bench.store.beats[-1] == {(HERE, "ws_clients"): 3}
    assert bench.store.left


def test_the_thread_outlives_what_was_not_foreseen(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    add: Callable[[Batch], None] = bench.store.add
    calls: list[Batch] = []

    def broken(batch: Batch) -> None:
        calls.append(batch)
        if len(calls) == 1:
            raise RuntimeError("a fault of ours")
        add(batch)

    monkeypatch.setattr(bench.store, "add", broken)
    bench.flusher.start()
    bench.count(1)
    eventually(lambda: bench.store.minutes == {1: 1})
    bench.flusher.stop()


def test_stopping_what_never_started_does_nothing() -> None:
    Bench().flusher.stop()
