"""What a process says of its stores is what its own calls found, and no older than a minute."""

from __future__ import annotations

import psycopg
import pytest
from prometheus_client import CollectorRegistry
from psycopg import errors

from convex_common.metrics import Metrics
from convex_common.postgres.database import tell
from convex_common.stores import POSTGRES, REMEMBERED, StoreWatch


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def failures() -> list[None]:
    return []


@pytest.fixture
def watch(clock: Clock, failures: list[None]) -> StoreWatch:
    return StoreWatch(lambda: failures.append(None), clock)


def test_the_last_call_decides(watch: StoreWatch, failures: list[None]) -> None:
    assert watch.up is None
    watch.answered()
    assert watch.up is True
    watch.failed()
    assert (watch.up, len(failures)) == (False, 1)
    watch.answered()
    assert watch.up is True


@pytest.mark.parametrize("up", [True, False])
def test_nothing_is_known_for_longer_than_a_minute(watch: StoreWatch, clock: Clock, up: bool) -> None:
    (watch.answered if up else watch.failed)()
    clock.now += REMEMBERED
    assert watch.up is up
    clock.now += 0.1
    assert watch.up is None


def test_silence(watch: StoreWatch, clock: Clock) -> None:
    assert watch.silent_for(10)
    watch.failed()
    assert not watch.silent_for(10)
    clock.now += 10
    assert watch.silent_for(10)


@pytest.mark.parametrize(
    ("error", "up"),
    [
        (psycopg.OperationalError("connection refused"), False),
        (errors.AdminShutdown(), False),
        (errors.CannotConnectNow(), False),
        (errors.TooManyConnections(), False),
        (errors.DiskFull(), False),
        (errors.QueryCanceled(), True),
        (errors.DeadlockDetected(), True),
        (errors.LockNotAvailable(), True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_of_the_statement_is_an_answer(watch: StoreWatch, error: psycopg.Error, up: bool) -> None:
    tell(watch, error)
    assert watch.up is up


def test_as_metrics() -> None:
    registry = CollectorRegistry()
    watch = Metrics(registry).stores.watch(POSTGRES)
    labels = {"store": "postgres"}
    assert registry.get_sample_value("store_up", labels) is None, "nobody has called it"
    assert registry.get_sample_value("store_errors_total", labels) == 0, "a rate wants a beginning"
    watch.failed()
    assert registry.get_sample_value("store_up", labels) == 0
    assert registry.get_sample_value("store_errors_total", labels) == 1
    watch.answered()
    assert registry.get_sample_value("store_up", labels) == 1
