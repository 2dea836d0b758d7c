"""The pool of drainers: no hint is lost, no error ends it, and a stop ends it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import pytest

from convex_common.errors import StoreUnavailable
from convex_processor.claims import Width
from convex_processor.drainer import Drainer, DrainerPool
from tests.support.eventually import eventually


@dataclass
class Work:
    """What is due, and how drainers fare with it."""

    due: int = 0
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    errors: list[Exception] = field(default_factory=list)
    gate: threading.Event | None = None
    steps_before_gate: int = 0
    closed: int = 0

    def add(self, count: int = 1) -> None:
        with self.lock:
            self.due += count


@dataclass
class FakeDrainer:
    """Takes up to 10 at once."""

    work: Work

    def step(self) -> int:
        work = self.work
        with work.lock:
            if work.errors:
                raise work.errors.pop()
            taken = min(work.due, 10)
            work.due -= taken
            gated = work.steps_before_gate <= 0
            work.steps_before_gate -= 1
            work.at_once += 1
            work.most_at_once = max(work.most_at_once, work.at_once)
        if work.gate is not None and taken and gated:
            work.gate.wait(10)
        with work.lock:
            work.at_once -= 1
        return taken

    def close(self) -> None:
        self.work.closed += 1


def a_pool(work: Work, size: int = 2) -> DrainerPool:
    return DrainerPool(lambda: cast("Drainer", FakeDrainer(work)), size, full=5)


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty")
def test_no_hint_is_lost() -> None:
    """Whenever all hints have been heard, nothing is due."""
    work = Work()
    pool = a_pool(work)

    def hint() -> None:
        work.add()
        pool.drain()

    for _ in range(1500):
        threads = [threading.Thread(target=hint) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert work.due == 0


def test_one_drainer_at_low_load_and_more_under_backlog() -> None:
    work = Work(gate=threading.Event())
    assert work.gate is not None
    pool = a_pool(work)
    work.add(1)
    threads = [threading.Thread(target=pool.drain) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    assert work.at_once == 1, "a few events are one drainer's work"
    work.gate.set()
    for thread in threads:
        thread.join(10)
    assert work.due == 0


def test_under_backlog_every_drainer_works_without_a_further_hint() -> None:
    work = Work(due=1000, gate=threading.Event(), steps_before_gate=1)
    assert work.gate is not None
    pool = a_pool(work)
    first = threading.Thread(target=pool.drain)
    first.start()
    eventually(lambda: work.at_once == 2)
    work.gate.set()
    first.join(10)
    eventually(lambda: work.due == 0 and work.at_once == 0)
    pool.stop(5.0)


def test_errors_are_survived(caplog: pytest.LogCaptureFixture) -> None:
    work = Work(due=1, errors=[ZeroDivisionError("a bug"), StoreUnavailable("away", 1.0)])
    pool = a_pool(work)
    pool.drain()
    assert work.due == 0
    assert pool.healthy.is_set()
    assert "not foreseen" in caplog.text


def test_a_stop_waits_for_the_batch_under_way_and_starts_no_other() -> None:
    work = Work(due=1000, gate=threading.Event())
    assert work.gate is not None
    pool = a_pool(work)
    thread = threading.Thread(target=pool.drain)
    thread.start()
    eventually(lambda: work.at_once == 1)
    threading.Timer(0.1, work.gate.set).start()
    pool.stop(5.0)
    thread.join(5)
    left = work.due
    assert left >= 900
    pool.drain()
    assert (work.due, work.closed) == (left, 2)


@pytest.mark.parametrize(
    ("rows", "shards"),
    [
        pytest.param([500] * 9, 2, id="full claims: few shards"),
        pytest.param([500, 500, 200, 200], 16, id="in between: as it is"),
        pytest.param([500] * 9 + [10] * 9, 64, id="empty claims: all again"),
    ],
)
def test_claims_adapt_their_width(rows: list[int], shards: int) -> None:
    width = Width(500)
    for count in rows:
        width.learn(count)
    assert width.shards == shards
