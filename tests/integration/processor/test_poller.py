"""The poller on a real database: timers fire in time, whatever the draining does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from convex_common.postgres.database import Database
from convex_processor.poller import PORTION, Poller
from tests.support.eventually import eventually
from tests.support.postgres import Store

ADD = """INSERT INTO timers (workspace_id, kind, subject, due_at, shard, key, payload)
SELECT %s, 'window_end', 'timer ' || n, now() + %s * interval '1 s', n %% 64, decode('00', 'hex'), '{}'
FROM generate_series(1, %s) n"""


@pytest.fixture
def owner(store: Store) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(store.owner_url, autocommit=True) as connection:
        yield connection


@contextmanager
def polling(poller: Poller) -> Iterator[None]:
    poller.start()
    try:
        yield
    finally:
        poller.stop()


def count(owner: psycopg.Connection[tuple[object, ...]], table: str) -> object:
    row = owner.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return row[0]


def test_timers_fire_while_a_drain_goes_on_and_on(
    store: Store, database: Database, owner: psycopg.Connection[tuple[object, ...]]
) -> None:
    draining, end = threading.Event(), threading.Event()

    def drain() -> None:
        draining.set()
        end.wait(30)

    with polling(Poller(database, drain, every=0.05)):
        try:
            assert draining.wait(5)
            owner.execute(ADD, (store.workspace_id, 0, 1))
            eventually(lambda: count(owner, "inbox") == 1, what="the timer's event")
        finally:
            end.set()


def test_all_that_is_due_fires_at_once_and_nothing_else_does(
    store: Store, database: Database, owner: psycopg.Connection[tuple[object, ...]]
) -> None:
    due = 2 * PORTION + 1
    owner.execute(ADD, (store.workspace_id, 0, due))
    drained = threading.Event()
    with polling(Poller(database, drained.set, every=60.0)):
        eventually(lambda: count(owner, "inbox") == due, what="every due timer's event")
        assert count(owner, "timers") == 0
        drained.clear()
    owner.execute(ADD, (store.workspace_id, 3600, 3))
    with polling(Poller(database, drained.set, every=0.05)):
        assert drained.wait(5)
        assert (count(owner, "timers"), count(owner, "inbox")) == (3, due)


def test_events_of_timers_are_drained_at_once(
    store: Store, database: Database, owner: psycopg.Connection[tuple[object, ...]]
) -> None:
    drains = threading.Semaphore(0)
    with polling(Poller(database, drains.release, every=1.0)):
        assert drains.acquire(timeout=5), "the first look"
        owner.execute(ADD, (store.workspace_id, 0, 1))
        eventually(lambda: count(owner, "inbox") == 1)
        assert drains.acquire(timeout=0.5), "a look as soon as the timer fired"


def test_a_timer_that_is_moved_while_it_fires_is_not_lost(
    store: Store, database: Database, owner: psycopg.Connection[tuple[object, ...]]
) -> None:
    owner.execute(ADD, (store.workspace_id, 0, 1))
    with psycopg.connect(store.owner_url) as firing:
        firing.execute("SELECT fire_timers(10)")
        moved = threading.Thread(
            target=lambda: owner.execute(
                "INSERT INTO timers (workspace_id, kind, subject, due_at, shard, key, payload) "
                "VALUES (%s, 'window_end', 'timer 1', now() + interval '1 h', 1, '', '{}') "
                "ON CONFLICT (workspace_id, kind, subject) DO UPDATE SET due_at = excluded.due_at",
                (store.workspace_id,),
            )
        )
        moved.start()
        moved.join(0.3)
        firing.commit()
    moved.join(10)
    assert (count(owner, "inbox"), count(owner, "timers")) == (1, 1)


def test_an_error_does_not_end_the_timers(
    store: Store, database: Database, owner: psycopg.Connection[tuple[object, ...]]
) -> None:
    owner.execute("ALTER FUNCTION fire_timers(integer) RENAME TO fire_timers_away")
    with polling(Poller(database, lambda: None, every=0.05)):
        owner.execute(ADD, (store.workspace_id, 0, 1))
        owner.execute("SELECT pg_sleep(0.2)")
        owner.execute("ALTER FUNCTION fire_timers_away(integer) RENAME TO fire_timers")
        eventually(lambda: count(owner, "inbox") == 1, what="the timer's event")
