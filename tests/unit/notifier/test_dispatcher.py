"""Claims fit the threads that are free, and are not made one by one."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Sequence

import pytest

from convex_notifier.deliveries import Claim, Loaded
from convex_notifier.dispatcher import Dispatcher
from tests.support.eventually import eventually
from tests.unit.notifier.messages import a_message


def due(number: int, gate: str = "quick") -> Loaded:
    """A delivery for the target `gate`."""
    claim = Claim(uuid.UUID(int=number), uuid.UUID(int=0), 7, 0)
    return Loaded(
        claim=claim,
        message=a_message(delivery_id=claim.id),
        target=gate,
        age=0.0,
        channel_id=uuid.UUID(int=1),
        kind="webhook",
        config="{}",
        secrets=None,
        enabled=True,
        deleted=False,
    )


class Work:
    """What is due, and targets that hold their attempts up until their gate opens."""

    def __init__(self, threads: int) -> None:
        self.due: list[Loaded] = []
        self.asked: list[int] = []
        self.done: list[Loaded] = []
        self.under_way: list[Loaded] = []
        self.given_back: list[Claim] = []
        self.gates = {"slow": threading.Event(), "quick": threading.Event()}
        self.gates["quick"].set()
        self.before_answer = threading.Event()
        self.before_answer.set()
        self.dispatcher = Dispatcher(self.take, self.handle, self.given_back.extend, threads=threads, every=0.02)

    def take(self, count: int) -> Sequence[Loaded]:
        self.asked.append(count)
        taken, self.due = self.due[:count], self.due[count:]
        assert self.before_answer.wait(5)
        return taken

    def handle(self, loaded: Loaded) -> None:
        self.under_way.append(loaded)
        assert self.gates[loaded.target].wait(5)
        self.done.append(loaded)


@pytest.fixture
def work() -> Iterator[Work]:
    given = Work(threads=6)
    yield given
    given.gates["slow"].set()
    given.before_answer.set()
    given.dispatcher.stop(5.0)


def test_no_more_is_claimed_than_threads_are_free(work: Work) -> None:
    work.due = [due(n, "slow") for n in range(10)]
    work.dispatcher.start()
    eventually(lambda: len(work.under_way) == 6)
    assert len(work.due) == 4
    work.gates["slow"].set()
    eventually(lambda: len(work.done) == 10)
    assert max(work.asked) <= 6


def test_one_free_thread_is_enough_for_what_is_due(work: Work) -> None:
    work.due = [due(n, "slow") for n in range(5)]
    work.dispatcher.start()
    eventually(lambda: len(work.under_way) == 5)
    work.due = [due(n) for n in range(10, 15)]
    eventually(lambda: len(work.done) == 5)
    assert 1 in work.asked


def test_news_during_a_claim_are_not_missed() -> None:
    work = Work(threads=2)
    work.before_answer.clear()
    work.dispatcher = Dispatcher(work.take, work.handle, work.given_back.extend, threads=2, every=60.0)
    work.dispatcher.start()
    eventually(lambda: work.asked)
    work.due = [due(1)]
    work.dispatcher.wake()
    work.before_answer.set()
    eventually(lambda: len(work.done) == 1)
    assert work.dispatcher.stop(5.0)


def test_a_claim_that_the_stop_overtook_is_given_back(work: Work) -> None:
    work.due = [due(1), due(2)]
    work.before_answer.clear()
    work.dispatcher.start()
    eventually(lambda: work.asked)
    threading.Timer(0.1, work.before_answer.set).start()
    assert work.dispatcher.stop(5.0)
    assert [claim.id.int for claim in work.given_back] == [1, 2]
    assert work.done == []
