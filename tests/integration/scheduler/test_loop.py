"""The local loop and its readings, on a clock that the test turns."""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from convex_common.contracts import Contract, JobDue
from convex_common.errors import NotFound, StoreUnavailable
from convex_common.exits import Exit
from convex_common.ids import Ids, floor
from convex_common.metrics import Metrics
from convex_common.postgres.database import Database
from convex_common.postgres.job_runner import JobRefused, JobRunner, Lease
from convex_common.redis.measures import Measured, Tally
from convex_common.timetable import LOCAL_QUEUE, Priority, ScheduledJob, Timetable
from convex_scheduler import database_watch
from convex_scheduler.asking import Asker
from convex_scheduler.readings import Readings
from convex_scheduler.run import RunOnce
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


def order(store: Store, suspended: bool, job: str = "hourly") -> None:
    with psycopg.connect(store.owner_url) as owner:
        owner.execute(
            "INSERT INTO job_orders (job, suspended, ordered_by) VALUES (%s, %s, 'ada') "
            "ON CONFLICT (job) DO UPDATE SET suspended = excluded.suspended",
            (job, suspended),
        )


def test_a_suspended_job_waits_and_catches_up_on_its_latest_slot(database: Database, store: Store) -> None:
    world = World(database)
    world.loop.step()
    order(store, True)
    for hour in (13, 14, 15):
        world.now = world.at(hour)
        world.loop.step()
        world.restart()
    assert world.done == [world.at(12)]
    assert len(world.sent.messages) == 1, "another job goes on, and has been asked for"
    order(store, False)
    world.now = world.at(15, 30)
    world.loop.step()
    world.loop.step()
    assert world.done == [world.at(12), world.at(15)]


def test_what_a_cronjob_calls_heeds_an_order_and_a_person_may_insist(database: Database, store: Store) -> None:
    world = World(database)
    order(store, True)
    done = JobRunner(database, LOCAL_QUEUE, lambda name: lambda lease: {}, 60.0)
    run_once = RunOnce(database, world.asker, done, threading.Event())
    result = run_once(HOURLY, world.now, wait=False, timeout=5, unless_suspended=True)
    assert result.code is Exit.DONE
    assert "hourly 2026-03-10T12:00:00Z not asked for: hourly is suspended by ada since " in result.line
    assert jobs.rows(store, "SELECT FROM job_runs") == []
    result = run_once(HOURLY, world.now, wait=False, timeout=5)
    assert result.line == "hourly 2026-03-10T12:00:00Z completed {}"


def test_one_run_by_its_id(database: Database, store: Store) -> None:
    world = World(database)
    by_hand = Ids().new()
    with psycopg.connect(store.owner_url) as owner:
        owner.execute(
            "INSERT INTO job_runs (id, job, slot, queue, requested_by, kubernetes_job) "
            "VALUES (%s, 'hourly', now(), %s, 'ada', 'a-job')",
            (by_hand, LOCAL_QUEUE),
        )
    done = JobRunner(database, LOCAL_QUEUE, lambda name: lambda lease: {}, 60.0)
    run_once = RunOnce(database, world.asker, done, threading.Event())
    for line in (f"hourly {by_hand} completed {{}}", f"hourly {by_hand} completed before {{}}"):
        result = run_once.one(HOURLY, by_hand, timeout=5)
        assert (result.line, result.code) == (line, Exit.DONE)
    for job, run_id in ((DAILY, by_hand), (HOURLY, Ids().new())):
        with pytest.raises(NotFound, match="there is no such run"):
            run_once.one(job, run_id, timeout=5)


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
    assert sample("oldest_due_seconds", {"queue": "alert"}) == 0
    assert abs(sample("database_clock_offset_seconds") or 9) < 5
    assert sample("database_snapshot_held_seconds") == 0
    ahead = sample("partition_end_timestamp_seconds", {"table": "observations"})
    assert ahead is not None
    assert ahead > time.time() + 6 * 86400
    assert abs((sample("installation_read_timestamp_seconds") or 0) - time.time()) < 60
    assert sample("scheduled_job_overdue_seconds", {"job": "hourly"}) == 0
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


def test_the_oldest_work_due(database: Database, store: Store) -> None:
    """By queue, in seconds; what waits for its next attempt is not due."""
    now = dt.datetime.now(dt.UTC)
    metrics = Metrics(CollectorRegistry())
    readings = Readings(database, nothing_measured, metrics, Timetable(()), lambda: now)
    with psycopg.connect(store.owner_url) as owner:
        for minutes, due in ((10, "-infinity"), (20, "infinity"), (5, "-infinity")):
            made = floor(int(1000 * (now - dt.timedelta(minutes=minutes)).timestamp()))
            owner.execute(
                "INSERT INTO inbox (id, workspace_id, shard, kind, key, payload, due_at) "
                "VALUES (%s, %s, %s, 'trigger', 'k', 'p', %s)",
                (made, store.workspace_id, minutes, due),
            )
        owner.execute(
            "INSERT INTO timers (workspace_id, kind, subject, due_at, shard, key, payload) "
            "VALUES (%s, 'k', 's', clock_timestamp() - interval '2 min', 1, 'k', 'p')",
            (store.workspace_id,),
        )
        owner.execute(
            "INSERT INTO job_runs (id, job, slot, queue, due_at) "
            "VALUES (%s, 'hourly', now(), 'analytics', clock_timestamp() - interval '3 min')",
            (Ids().new(),),
        )
    readings.read()

    def minutes_of(queue: str) -> int:
        return round((metrics.registry.get_sample_value("oldest_due_seconds", {"queue": queue}) or 0) / 60)

    found = {queue: minutes_of(queue) for queue in ("alert", "timer", "analytics", "notification", "prediction")}
    assert found == {"alert": 10, "timer": 2, "analytics": 3, "notification": 0, "prediction": 0}


def test_a_snapshot_that_is_held_is_seen_by_the_services_role(database: Database, store: Store) -> None:
    """Whoever holds it: the role sees no other's statements, and need not."""
    with psycopg.connect(store.owner_url) as holder, psycopg.connect(store.owner_url, autocommit=True) as writer:
        holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        holder.execute("SELECT 1")
        writer.execute("DO $$ BEGIN FOR n IN 1..1200 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$")
        with database.transaction() as connection:
            held = database_watch.horizon(connection)
        assert held is not None
        assert held.age >= database_watch.OLD
        watch = database_watch.SnapshotWatch()
        watch.seconds(held, 0.0)
        with database.transaction() as connection:
            assert watch.seconds(database_watch.horizon(connection), 30.0) == 30.0
        holder.rollback()
        with database.transaction() as connection:
            assert watch.seconds(database_watch.horizon(connection), 60.0) == 0.0


def test_a_job_that_was_resumed_has_missed_nothing_before(database: Database, store: Store) -> None:
    now = [dt.datetime(2026, 3, 10, 12, 30, tzinfo=dt.UTC)]
    metrics = Metrics(CollectorRegistry())
    readings = Readings(database, nothing_measured, metrics, Timetable((HOURLY,)), lambda: now[0])

    def overdue(hours: int, minutes: int = 30) -> float | None:
        now[0] = dt.datetime(2026, 3, 10, hours, minutes, tzinfo=dt.UTC)
        readings.read()
        return metrics.registry.get_sample_value("scheduled_job_overdue_seconds", {"job": "hourly"})

    assert [overdue(12), overdue(14)] == [0, 5400]
    with psycopg.connect(store.owner_url) as owner:
        owner.execute("INSERT INTO job_orders (job, suspended, ordered_by) VALUES ('hourly', true, 'ada')")
    assert overdue(15) == 0
    with psycopg.connect(store.owner_url) as owner:
        owner.execute("DELETE FROM job_orders")
    assert [overdue(15, 45), overdue(16, 10)] == [0, 600]
    with psycopg.connect(store.owner_url) as owner:
        owner.execute(
            "INSERT INTO job_orders (job, suspended, ordered_by, ordered_at) "
            "VALUES ('hourly', false, 'ada', '2026-03-10 17:30Z')"
        )
        owner.execute("INSERT INTO job_totals (job, last_success_at) VALUES ('hourly', '2026-03-10 12:00Z')")
    readings = Readings(database, nothing_measured, metrics, Timetable((HOURLY,)), lambda: now[0])
    assert [overdue(17, 45), overdue(18, 10)] == [0, 600], "a restart forgets nothing of it"
