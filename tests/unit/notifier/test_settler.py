"""Settlements are gathered, saved, tried again, and drained at the end."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence

import pytest

from convex_common.errors import StoreUnavailable
from convex_notifier.deliveries import Claim
from convex_notifier.domain import answer
from convex_notifier.domain.outcome import Delivered
from convex_notifier.settlements import Attempt, Settlement
from convex_notifier.settler import Settler
from tests.support.eventually import eventually

AWAY = StoreUnavailable("PostgreSQL is away", 1.0)


def a_settlement(number: int) -> Settlement:
    claim = Claim(uuid.UUID(int=number), uuid.UUID(int=0), 7, 0)
    attempt = Attempt(uuid.UUID(int=number), answer.accepted(200), dt.datetime(2026, 3, 1, tzinfo=dt.UTC), 0.1)
    return Settlement(claim, attempt, Delivered())


ONE, TWO, THREE, FOUR = map(a_settlement, range(1, 5))


class Books:
    """Saves as it is told: `failing` says which error a group meets, and `gate` holds every save up."""

    def __init__(self) -> None:
        self.groups: list[list[Settlement]] = []
        self.saved: list[Settlement] = []
        self.commits = 0
        self.lost: Sequence[Settlement] = ()
        self.failing: Callable[[Sequence[Settlement]], Exception | None] = lambda group: None
        self.gate = threading.Event()
        self.gate.set()
        self.settler = Settler(self.save, self.committed, most=3, patience=5.0)

    def save(self, group: Sequence[Settlement]) -> Sequence[Settlement]:
        self.groups.append(list(group))
        assert self.gate.wait(5)
        if error := self.failing(group):
            raise error
        self.saved += [one for one in group if one not in self.lost]
        return [one for one in group if one in self.lost]

    def committed(self) -> None:
        self.commits += 1


@pytest.fixture
def books() -> Iterator[Books]:
    kept = Books()
    yield kept
    kept.gate.set()
    kept.failing = lambda group: None
    kept.settler.stop(5.0)


def test_one_is_saved_at_once_and_those_that_came_meanwhile_together(books: Books) -> None:
    books.gate.clear()
    books.settler.start()
    books.settler.settle(ONE)
    eventually(lambda: books.groups == [[ONE]])
    for later in (TWO, THREE, FOUR):
        books.settler.settle(later)
    books.gate.set()
    eventually(lambda: len(books.saved) == 4)
    assert books.groups == [[ONE], [TWO, THREE, FOUR]]
    eventually(lambda: books.commits == 2)


def test_a_lost_lease_is_told_and_costs_the_others_nothing(books: Books, caplog: pytest.LogCaptureFixture) -> None:
    books.lost = [TWO]
    with caplog.at_level(logging.INFO):
        for one in (ONE, TWO, THREE):
            books.settler.settle(one)
        books.settler.start()
        assert books.settler.stop(5.0)
    assert books.saved == [ONE, THREE]
    assert [record.message for record in caplog.records] == ["left to another worker, who has its lease by now"]


def test_while_the_store_is_away_it_keeps_trying_each_alone(books: Books) -> None:
    away = threading.Event()
    away.set()
    books.failing = lambda group: AWAY if away.is_set() else None
    for one in (ONE, TWO):
        books.settler.settle(one)
    books.settler.start()
    eventually(lambda: len(books.groups) >= 3)
    assert (books.saved, books.commits) == ([], 0)
    away.clear()
    eventually(lambda: len(books.saved) == 2)
    assert books.groups[0] == [ONE, TWO]
    assert all(len(group) == 1 for group in books.groups[1:])


def test_one_that_times_out_holds_up_no_newcomer(books: Books) -> None:
    books.failing = lambda group: AWAY if ONE in group else None
    books.settler.settle(ONE)
    books.settler.start()
    eventually(lambda: len(books.groups) >= 2)
    books.settler.settle(TWO)
    books.settler.settle(THREE)
    eventually(lambda: {TWO.claim.id, THREE.claim.id} == {one.claim.id for one in books.saved})


def test_one_that_cannot_be_saved_is_left_to_its_lease(books: Books, caplog: pytest.LogCaptureFixture) -> None:
    books.failing = lambda group: ValueError("no such thing") if TWO in group else None
    for one in (ONE, TWO, THREE):
        books.settler.settle(one)
    books.settler.start()
    assert books.settler.stop(5.0)
    assert books.groups == [[ONE, TWO, THREE], [ONE], [TWO], [THREE]]
    assert books.saved == [ONE, THREE]
    assert "its lease's end brings it back" in caplog.text


def test_patience_ends(caplog: pytest.LogCaptureFixture) -> None:
    def away(group: Sequence[Settlement]) -> Sequence[Settlement]:
        raise AWAY

    settler = Settler(away, lambda: None, patience=0.2)
    settler.start()
    settler.settle(ONE)
    eventually(lambda: "could not be saved" in caplog.text)
    assert settler.stop(5.0)


def test_whoever_brings_too_many_waits(books: Books) -> None:
    for one in (ONE, TWO, THREE):
        books.settler.settle(one)
    fourth = threading.Thread(target=books.settler.settle, args=(FOUR,), daemon=True)
    fourth.start()
    fourth.join(0.1)
    assert fourth.is_alive()
    books.settler.start()
    fourth.join(5)
    assert books.settler.stop(5.0)
    assert books.saved == [ONE, TWO, THREE, FOUR]


def test_stopping_saves_what_waits(books: Books) -> None:
    books.gate.clear()
    books.settler.start()
    books.settler.settle(ONE)
    eventually(lambda: books.groups)
    books.settler.settle(TWO)
    books.settler.settle(THREE)
    threading.Timer(0.2, books.gate.set).start()
    assert books.settler.stop(5.0)
    assert books.saved == [ONE, TWO, THREE]


def test_stopping_ends_in_time_with_the_store_away(books: Books) -> None:
    books.failing = lambda group: AWAY
    books.settler.settle(ONE)
    books.settler.start()
    began = time.monotonic()
    books.settler.stop(0.3)
    assert time.monotonic() - began < 2.0
