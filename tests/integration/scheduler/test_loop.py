"""The local loop and its readings, on a clock that the test turns."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from convex_common.contracts import Contract, JobDue
from convex_common.errors import StoreUnavailable
from convex_common.ids import Ids
from convex_common.metrics import Metrics
from convex_common.postgres.database import Database
from convex_common.postgres.job_runner import JobRefused, JobRunner, Lease
from convex_common.redis.measures import Measured, Tally
from convex_common.timetable import LOCAL_QUEUE, Priority, ScheduledJob, Timetable
from convex_scheduler.asking import Asker
from convex_scheduler.readings import Readings
from convex_scheduler.serve import Loop
from tests.support import jobs
from tests.support.postgres import Store

HOURLY = ScheduledJob("hourly", "0 * * * *", Priority.LOW, LOCAL_QUEUE)
DAILY = ScheduledJob("daily", "0 2 * * *", Priority.HIGH, "analytics")
HOUR = dt.timedelta(hours=1)


class Sent:
    """A sender that keeps what it is given, or loses it."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, JobDue]] = []

    def send(self, contract: Contract[JobDue], payload: JobDue, traceparent: str | None = None) -> bool:
        self.messages.append((contract.name, payload))
        return False


class World:
    """A scheduler with a clock of its own."""

    def __init__(self, database: Database) -> None:
        self.now = dt.datetime(2026, 3, 10, 12, 30, tzinfo=dt.UTC)
        self.sent = Sent()
        self.done: list[dt.datetime] = []
        self.database = database
        self.restart()

    def restart(self) -> None:
        """A new process: it remembers nothing."""

        def job(lease: Lease) -> Mapping[str, Any]:
            self.done.append(lease.slot)
            return {}

        runner = JobRunner(self.database, LOCAL_QUEUE, lambda name: job, 60.0)
        asker = Asker(self.database, self.sent, Ids())
        self.asker = asker
        self.loop = Loop(Timetable((HOURLY, DAILY)), asker, runner, lambda: self.now)
        self.without_asking = Loop(Timetable((HOURLY, DAILY)), asker, runner, lambda: self.now, asks=False)

    def at(self, hour: int, minute: int = 0) -> dt.datetime:
        return dt.datetime(2026, 3, 10, hour, minute, tzinfo=dt.UTC)


def test_each_slot_once(database: Database, store: Store) -> None:
    world = World(database)
    for _ in range(5):
        world.loop.step()
    world.now = world.at(13)
    world.loop.step()
    assert world.done == [world.at(12), world.at(13)]
    assert world.sent.messages == [("job_due", JobDue("daily", "2026-03-10T02:00:00Z"))]
    run = jobs.job_run(store, "daily")
    assert (run["queue"], run["status"]) == ("analytics", "pending"), "on record, whatever became of the hint"
    assert run["traceparent"]


def test_what_was_missed_is_caught_up_once(database: Database) -> None:
    world = World(database)
    world.loop.step()
    world.now = world.at(12) + 7 * HOUR
    world.restart()
    world.loop.step()
    assert world.done == [world.at(12), world.at(19)]


def test_a_restart_repeats_nothing(database: Database) -> None:
    world = World(database)
    world.loop.step()
    world.restart()
    world.loop.step()
    assert world.done == [world.at(12)]
    assert len(world.sent.messages) == 1


def test_a_clock_that_steps_back_repeats_nothing(database: Database, store: Store) -> None:
    world = World(database)
    world.loop.step()
    world.now -= 3 * HOUR
    world.loop.step()
    world.restart()
    world.loop.step()
    assert world.done == [world.at(12)]
    assert len(jobs.rows(store, "SELECT FROM job_runs WHERE job = 'hourly'")) == 1


def test_where_others_ask_it_does_what_is_asked(database: Database) -> None:
    world = World(database)
    world.without_asking.step()
    assert (world.done, world.sent.messages) == ([], [])
    world.asker.ask(HOURLY, world.at(12))
    world.without_asking.step()
    assert world.done == [world.at(12)]


def test_a_run_by_hand_stands_for_no_slot(database: Database, store: Store) -> None:
    world = World(database)
    with psycopg.connect(store.owner_url) as owner:
        owner.execute(
            "INSERT INTO job_runs (id, job, slot, queue, requested_by) VALUES (%s, 'hourly', %s, %s, 'ada')",
            (Ids().new(), world.now, LOCAL_QUEUE),
        )
    world.loop.step()
    assert sorted(world.done) == [world.at(12), world.now]


def test_two_schedulers_do_it_once(database: Database) -> None:
    one, other = World(database), World(database)
    one.loop.step()
    other.loop.step()
    assert (len(one.done), len(other.done)) == (1, 0)


def nothing_measured(_: uuid.UUID | None) -> Measured:
    return Measured(Tally(), Tally(), {})


def away(_: uuid.UUID | None) -> Measured:
    raise StoreUnavailable("Redis is away")


def test_the_score_tells_of_stores_that_are_away(database: Database) -> None:
    metrics = Metrics(CollectorRegistry())
    readings = Readings(database, away, metrics, Timetable(()), lambda: dt.datetime.now(dt.UTC))
    readings.read()
    assert metrics.registry.get_sample_value("system_health_score") == 75
    database.close()
    with pytest.raises(StoreUnavailable):
        readings.read()
    assert metrics.registry.get_sample_value("system_health_score") == 0


def test_readings(database: Database, store: Store) -> None:
    def find(name: str) -> Any:
        if name == "daily":
            raise JobRefused("no")
        return lambda lease: {}

    metrics = Metrics(CollectorRegistry())
    now = dt.datetime(2026, 3, 10, 12, 30, tzinfo=dt.UTC)
    readings = Readings(database, nothing_measured, metrics, Timetable((HOURLY, DAILY)), lambda: now)
    asker = Asker(database, Sent(), Ids())
    sample = metrics.registry.get_sample_value

    readings.read()
    assert sample("queue_job_count", {"queue": "analytics", "state": "waiting"}) == 0
    assert sample("system_health_score") == 100
    assert sample("scheduled_job_runs_total", {"job": "hourly", "status": "completed"}) == 0
    assert sample("scheduled_job_info", {"job": "daily", "schedule": "0 2 * * *", "priority": "high"}) == 1
    assert sample("scheduled_job_next_run_timestamp_seconds", {"job": "hourly"}) == now.timestamp() + 1800
    assert sample("scheduled_job_last_status", {"job": "hourly", "status": "completed"}) is None

    slot = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
    asker.ask(HOURLY, slot)
    asker.ask(DAILY, slot)
    readings.read()
    assert sample("queue_job_count", {"queue": "analytics", "state": "waiting"}) == 1

    for queue in (LOCAL_QUEUE, "analytics"):
        JobRunner(database, queue, find, 60.0).drain()
    with psycopg.connect(store.owner_url) as owner:
        owner.execute(
            "INSERT INTO job_runs (id, job, slot, queue, status) "
            "VALUES (%s, 'hourly', now(), 'analytics', 'quarantined')",
            (Ids().new(),),
        )
    for _ in range(3):
        readings.read()
    assert sample("queue_job_count", {"queue": "analytics", "state": "waiting"}) == 0
    assert sample("queue_job_count", {"queue": "analytics", "state": "failed"}) == 2
    assert sample("queue_job_count", {"queue": LOCAL_QUEUE, "state": "completed"}) == 1
    assert sample("quarantined", {"queue": "analytics"}) == 1
    assert sample("inbox_backlog") == 0
    assert sample("scheduled_job_runs_total", {"job": "hourly", "status": "completed"}) == 1
    assert sample("scheduled_job_runs_total", {"job": "daily", "status": "failed"}) == 1
    last = sample("scheduled_job_last_success_timestamp_seconds", {"job": "hourly"})
    assert last is not None
    assert abs(last - dt.datetime.now(dt.UTC).timestamp()) < 60
    assert sample("scheduled_job_last_success_timestamp_seconds", {"job": "daily"}) is None
    assert sample("scheduled_job_last_status", {"job": "daily", "status": "failed"}) == 1
    assert sample("scheduled_job_last_status", {"job": "daily", "status": "completed"}) == 0
    assert sample("scheduled_job_running", {"job": "daily"}) == 0
    duration = sample("scheduled_job_duration_seconds", {"job": "daily"})
    assert duration is not None
    assert 0 <= duration < 60

    again = Metrics(CollectorRegistry())
    Readings(database, nothing_measured, again, Timetable((HOURLY, DAILY)), lambda: now).read()
    runs = {"job": "hourly", "status": "completed"}
    assert again.registry.get_sample_value("scheduled_job_runs_total", runs) == 1, "the total, whoever exports it"
    with psycopg.connect(store.owner_url) as owner:
        owner.execute("UPDATE job_totals SET completed = 0")
    readings.read()
    assert sample("scheduled_job_runs_total", runs) == 0, "after a restore"
