"""The hourly look at the cache: its report is the run's result, and an ill cache is no failed check."""

from __future__ import annotations

import datetime as dt
import logging

import pytest

from convex_common.ids import Ids
from convex_common.measures import CACHE_HITS, CACHE_MISSES
from convex_common.postgres import job_runs
from convex_common.postgres.database import Database
from convex_common.postgres.job_runner import JobRunner
from convex_common.postgres.job_runs import Run, RunStatus
from convex_common.redis.cache.check import Report, check
from convex_common.redis.measures import Measured, MeasureStore, Tally
from convex_common.timetable import LOCAL_QUEUE
from convex_scheduler.jobs.cache_check import NAME, CacheHealthCheck
from tests.support.valkey import Valkey

SLOT = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)


def run(database: Database, job: CacheHealthCheck) -> Run:
    with database.transaction() as connection:
        job_runs.request(connection, Ids().new(), NAME, SLOT, LOCAL_QUEUE)
    JobRunner(database, LOCAL_QUEUE, lambda name: job, 60.0).drain()
    with database.transaction() as connection:
        found = job_runs.find(connection, NAME, SLOT)
    assert found is not None
    assert (found.status, found.attempts) == (RunStatus.COMPLETED, 0)
    return found


def of_redis(url: str, prefix: str) -> CacheHealthCheck:
    store = MeasureStore(url, prefix)
    return CacheHealthCheck(lambda: store.read(None), lambda rates: check(url, url, prefix, rates))


def test_a_healthy_cache(database: Database, valkey: Valkey, queue_prefix: str) -> None:
    detail = run(database, of_redis(valkey.url, queue_prefix)).detail
    assert (detail["reachable"], detail["problems"]) == (True, [])
    assert detail["memory_bytes"] > 0


@pytest.mark.parametrize(
    ("hits", "misses", "rates"),
    [
        pytest.param(80, 20, {"alerts": 80.0}, id="enough"),
        pytest.param(79, 20, {}, id="too few to say anything"),
        pytest.param(0, 0, {}, id="none"),
    ],
)
def test_hit_rates_are_the_installations(database: Database, hits: int, misses: int, rates: dict[str, float]) -> None:
    counted = {(CACHE_HITS, "alerts"): hits, (CACHE_MISSES, "alerts"): misses}
    measured = Measured(Tally(counted), Tally(), {})
    job = CacheHealthCheck(lambda: measured, lambda given: Report(reachable=True, hit_rates=given))
    assert run(database, job).detail["hit_rates"] == rates


def test_a_redis_that_is_away_is_told_with_its_cure(
    database: Database, absent_valkey: Valkey, queue_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        detail = run(database, of_redis(absent_valkey.url, queue_prefix)).detail
    assert not detail["reachable"]
    assert any("see CACHE_REDIS_URL" in problem for problem in detail["problems"])
    assert {record.message for record in caplog.records} >= {f"cache: {problem}" for problem in detail["problems"]}
