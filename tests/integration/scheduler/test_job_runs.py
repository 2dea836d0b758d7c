"""Job runs on a real PostgreSQL: once, whoever asks; leases; quarantine."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from convex_common.errors import LeaseLost, NotFound, StoreUnavailable
from convex_common.ids import Ids
from convex_common.job_status import OUTCOMES
from convex_common.job_timings import JobTimings
from convex_common.measures import INSTALLATION, QUEUE_PROCESSING, QUEUE_WAIT, Measures
from convex_common.metrics import Metrics
from convex_common.postgres import job_figures, job_runs
from convex_common.postgres.database import Database
from convex_common.postgres.job_runner import Job, JobRefused, JobRunner, JobSkipped, Lease
from convex_common.postgres.job_runs import Claim, Run, RunStatus
from tests.support.eventually import eventually
from tests.support.postgres import Store

IDS = Ids()
SLOT = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
AT_ONCE = dt.timedelta(0)


def ask(database: Database, job: str = "some", slot: dt.datetime = SLOT, queue: str = "analytics") -> bool:
    with database.transaction() as connection:
        return job_runs.request(connection, IDS.new(), job, slot, queue)


def claim(database: Database, queue: str = "analytics", lease: dt.timedelta = MINUTE) -> Claim | None:
    with database.transaction() as connection:
        return job_runs.claim(connection, queue, lease)


def claimed(database: Database, queue: str = "analytics", lease: dt.timedelta = MINUTE) -> Claim:
    taken = claim(database, queue, lease)
    assert taken is not None
    return taken


def found(database: Database, job: str = "some", slot: dt.datetime = SLOT) -> Run:
    with database.transaction() as connection:
        run = job_runs.find(connection, job, slot)
    assert run is not None
    return run


def make_due(store: Store) -> None:
    with psycopg.connect(store.owner_url) as owner:
        owner.execute("UPDATE job_runs SET due_at = now() WHERE status = 'pending'")


def runner(database: Database, job: Job, queue: str = "analytics", lease: float = 60.0) -> JobRunner:
    return JobRunner(database, queue, lambda name: job, lease)


def test_a_slot_is_asked_for_once(database: Database) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: ask(database), range(32)))
    assert answers.count(True) == 1
    assert ask(database, slot=SLOT + MINUTE)
    assert ask(database, job="other")


def test_two_workers_do_it_once(database: Database) -> None:
    for number in range(20):
        ask(database, slot=SLOT + number * MINUTE)
    done: list[dt.datetime] = []

    def job(lease: Lease) -> Mapping[str, Any]:
        done.append(lease.slot)
        return {}

    workers = [runner(database, job) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        counts = list(threads.map(lambda worker: worker.drain(), workers))
    assert sum(counts) == 20
    assert sorted(done) == [SLOT + number * MINUTE for number in range(20)]
    assert runner(database, job).drain() == 0


def test_a_claimed_run_is_nobody_elses_and_other_queues_are_left_alone(database: Database) -> None:
    ask(database)
    assert claim(database, "prediction") is None
    first = claimed(database)
    assert claim(database) is None
    with database.transaction() as connection:
        job_runs.finish(connection, first, {"rows": 7})
    run = found(database)
    assert (run.status, run.detail, run.attempts, run.last_error) == (RunStatus.COMPLETED, {"rows": 7}, 0, None)
    assert run.finished_at is not None


def test_only_the_run_meant_is_claimed(database: Database) -> None:
    ask(database, slot=SLOT)
    ask(database, slot=SLOT + MINUTE)
    with database.transaction() as connection:
        wanted = job_runs.find(connection, "some", SLOT + MINUTE)
        assert wanted is not None
        taken = job_runs.claim(connection, "analytics", MINUTE, only=wanted.id)
    assert taken is not None
    assert taken.slot == SLOT + MINUTE


def test_a_killed_workers_run_is_completed_by_another(database: Database) -> None:
    ask(database)
    dead = claimed(database, lease=dt.timedelta(seconds=0.3))
    again = eventually(lambda: claim(database), within=5)
    assert again is not None
    assert (again.id, again.attempts) == (dead.id, 1)
    with pytest.raises(LeaseLost), database.transaction() as connection:
        job_runs.finish(connection, dead, {"by": "the dead"})
    with database.transaction() as connection:
        job_runs.finish(connection, again, {"by": "another"})
    assert found(database).detail == {"by": "another"}


def test_a_lost_lease_rolls_the_slice_back(database: Database, store: Store) -> None:
    ask(database)
    dead = claimed(database, lease=AT_ONCE)
    claimed(database)

    def work() -> None:
        with database.transaction(store.workspace_id) as connection:
            connection.execute("UPDATE workspaces SET name = 'changed by the dead'")
            job_runs.hold(connection, dead, MINUTE)

    with pytest.raises(LeaseLost):
        work()
    with database.transaction(store.workspace_id) as connection:
        assert connection.execute("SELECT name FROM workspaces").fetchone() == ("Test",)


def test_holding_prolongs_the_lease(database: Database) -> None:
    ask(database)
    mine = claimed(database, lease=dt.timedelta(seconds=0.2))
    with database.transaction() as connection:
        job_runs.hold(connection, mine, MINUTE)
    time.sleep(0.3)
    assert claim(database) is None


@pytest.mark.parametrize(("queue", "attempts"), [("analytics", 3), ("prediction", 2), ("scheduler", 3)])
def test_quarantined_after_as_many_killed_workers(database: Database, queue: str, attempts: int) -> None:
    ask(database, queue=queue)
    for expected in range(attempts):
        assert claimed(database, queue, AT_ONCE).attempts == expected
    assert claim(database, queue) is None
    run = found(database)
    assert (run.status, run.attempts, run.last_error) == (
        RunStatus.QUARANTINED,
        attempts,
        "the worker stopped during the run",
    )
    assert claim(database, queue) is None


@pytest.mark.parametrize(("queue", "attempts"), [("analytics", 3), ("prediction", 2)])
def test_quarantined_after_as_many_failures(database: Database, store: Store, queue: str, attempts: int) -> None:
    def fails(lease: Lease) -> Mapping[str, Any]:
        raise RuntimeError("the sky fell")

    ask(database, queue=queue)
    worker = runner(database, fails, queue)
    for number in range(1, attempts + 1):
        assert worker.run_next()
        assert not worker.run_next(), "it rests after a failure"
        run = found(database)
        assert (run.attempts, run.last_error) == (number, "RuntimeError: the sky fell")
        make_due(store)
    assert found(database).status is RunStatus.QUARANTINED
    assert not worker.run_next()


def test_a_refused_run_fails_at_once(database: Database) -> None:
    def refuses(lease: Lease) -> Mapping[str, Any]:
        raise JobRefused("never")

    ask(database)
    runner(database, refuses).drain()
    run = found(database)
    assert (run.status, run.attempts, run.last_error) == (RunStatus.FAILED, 1, "never")


def test_a_run_with_nothing_to_do_is_over_and_no_failure(database: Database, store: Store) -> None:
    def skips(lease: Lease) -> Mapping[str, Any]:
        raise JobSkipped("not yet")

    ask(database)
    runner(database, skips).drain()
    run = found(database)
    assert (run.status, run.attempts, run.last_error, run.detail) == (
        RunStatus.SKIPPED,
        0,
        None,
        {"skipped": "not yet"},
    )
    assert run.status.is_final
    with database.transaction() as connection:
        counted = connection.execute("SELECT state, jobs FROM queue_counts() WHERE queue = 'analytics'").fetchall()
    assert counted == [("completed", 1)]


def test_a_run_of_another_job_is_left_to_those_who_can_do_it(database: Database) -> None:
    ask(database, job="theirs")
    ask(database, job="mine", slot=SLOT + MINUTE)
    worker = JobRunner(database, "analytics", lambda name: lambda lease: {"did": name}, 60.0, only=("mine",))
    assert worker.drain() == 1
    assert found(database, "theirs").status is RunStatus.PENDING
    assert found(database, "mine", SLOT + MINUTE).detail == {"did": "mine"}


def test_progress_is_seen_while_it_runs_and_the_result_after(database: Database) -> None:
    seen: list[Mapping[str, Any]] = []

    def slow(lease: Lease) -> Mapping[str, Any]:
        for done in (1, 2):
            with database.transaction() as connection:
                lease.hold(connection, {"done": done})
            seen.append(found(database).detail)
        with database.transaction() as connection:
            lease.hold(connection)
        seen.append(found(database).detail)
        return {"done": 3}

    ask(database)
    runner(database, slow).drain()
    assert seen == [{"done": 1}, {"done": 2}, {"done": 2}]
    assert found(database).detail == {"done": 3}


def test_totals_are_what_became_of_the_runs(database: Database, store: Store) -> None:
    """Whatever ends a run counts it once: results, refusals, failures for good and workers that are killed."""

    def job(lease: Lease) -> Mapping[str, Any]:
        kind = lease.slot.minute % 4
        if kind == 1:
            raise JobSkipped("nothing")
        if kind == 2:
            raise JobRefused("never")
        if kind == 3:
            raise RuntimeError("again and again")
        return {}

    for number in range(16):
        ask(database, slot=SLOT + number * MINUTE)
    for _ in range(4):
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda _: runner(database, job).drain(), range(4)))
        make_due(store)
    ask(database, slot=SLOT + 99 * MINUTE)
    for _ in range(3):
        claimed(database, lease=AT_ONCE)
    claim(database)
    with database.transaction() as connection:
        figures = job_figures.read(connection)["some"]
        truth = dict(connection.execute("SELECT status, count(*) FROM job_runs GROUP BY 1").fetchall())
    assert {outcome: figures.of(outcome) for outcome in OUTCOMES} == truth
    assert truth == {"completed": 4, "skipped": 4, "failed": 4, "quarantined": 5}
    assert (figures.last_status, figures.last_error) == ("quarantined", "the worker stopped during the run")
    assert not figures.running


def test_an_interrupted_run_is_given_back_without_blame(database: Database) -> None:
    ask(database)
    held = threading.Event()

    def slow(lease: Lease) -> Mapping[str, Any]:
        while True:
            with database.transaction() as connection:
                lease.hold(connection)
            held.set()
            time.sleep(0.01)

    stopping = runner(database, slow)
    thread = threading.Thread(target=stopping.drain)
    thread.start()
    assert held.wait(5)
    stopping.stop()
    thread.join(5)
    assert not thread.is_alive()
    run = found(database)
    assert (run.status, run.attempts) == (RunStatus.PENDING, 0)
    assert runner(database, lambda lease: {"by": "the next"}).drain() == 1


def test_waiting_sees_the_result(database: Database) -> None:
    ask(database)
    worker = runner(database, lambda lease: {"n": 1})
    threading.Timer(0.3, worker.drain).start()
    run = job_runs.wait(database, "some", SLOT, 10, stopping=threading.Event())
    assert (run.status, run.detail) == (RunStatus.COMPLETED, {"n": 1})


def _told(stopping: threading.Event) -> None:
    stopping.set()


@pytest.mark.parametrize(
    ("within", "before"),
    [pytest.param(0.1, lambda stopping: None, id="time is up"), pytest.param(60.0, _told, id="told to stop")],
)
def test_waiting_ends(database: Database, within: float, before: Callable[[threading.Event], None]) -> None:
    ask(database)
    stopping = threading.Event()
    before(stopping)
    assert job_runs.wait(database, "some", SLOT, within, stopping=stopping).status is RunStatus.PENDING


def test_waiting_for_what_nobody_asked_for(database: Database) -> None:
    with pytest.raises(NotFound):
        job_runs.wait(database, "some", SLOT, 1, stopping=threading.Event())


def test_waiting_without_a_database() -> None:
    away = Database("postgresql://nobody@127.0.0.1:1/none", "tests")
    away.open()
    try:
        with pytest.raises(StoreUnavailable):
            job_runs.wait(away, "some", SLOT, 0.1, stopping=threading.Event())
    finally:
        away.close()


def _raises(error: Exception) -> Job:
    def job(lease: Lease) -> Mapping[str, Any]:
        raise error

    return job


@pytest.mark.parametrize(
    "job",
    [
        pytest.param(lambda lease: {}, id="completed"),
        pytest.param(_raises(JobSkipped("nothing to do")), id="skipped"),
        pytest.param(_raises(JobRefused("never")), id="refused"),
        pytest.param(_raises(ValueError("broken")), id="failed"),
    ],
)
def test_every_run_is_timed_from_when_it_was_due(database: Database, store: Store, job: Job) -> None:
    metrics, measures = Metrics(CollectorRegistry()), Measures()

    def slow(lease: Lease) -> Mapping[str, Any]:
        time.sleep(0.05)
        return job(lease)

    ask(database)
    with psycopg.connect(store.owner_url) as owner:
        owner.execute("UPDATE job_runs SET due_at = now() - interval '90 s'")
    worker = JobRunner(database, "analytics", lambda name: slow, 60.0, timings=JobTimings(metrics, measures))
    assert worker.drain() == 1
    assert worker.drain() == 0
    measured = measures.take().distributions
    wait, processing = (measured[INSTALLATION, name, "analytics"] for name in (QUEUE_WAIT, QUEUE_PROCESSING))
    assert (wait.count, processing.count) == (1, 1)
    assert wait.total_us >= 90_000_000
    assert 50_000 <= processing.total_us < wait.total_us
    of_process = {
        name: metrics.registry.get_sample_value(f"queue_{name}", {"queue": "analytics"})
        for name in ("wait_seconds_count", "wait_seconds_sum", "processing_seconds_count", "processing_seconds_sum")
    }
    assert (of_process["wait_seconds_count"], of_process["processing_seconds_count"]) == (1, 1)
    assert of_process["wait_seconds_sum"] == pytest.approx(wait.total_us / 1e6, abs=1e-5)
    assert of_process["processing_seconds_sum"] == pytest.approx(processing.total_us / 1e6, abs=1e-5)


def test_a_retry_waits_from_when_it_was_due_again(database: Database, store: Store) -> None:
    told: list[tuple[str, float]] = []
    job = _raises(ValueError("broken"))
    worker = JobRunner(
        database, "prediction", lambda name: job, 60.0, timings=lambda queue, waited, took: told.append((queue, waited))
    )
    ask(database, queue="prediction")
    with psycopg.connect(store.owner_url) as owner:
        owner.execute("UPDATE job_runs SET due_at = now() - interval '1 hour'")
    assert worker.drain() == 1
    make_due(store)
    assert worker.drain() == 1
    (first, at_first), (second, again) = told
    assert (first, second) == ("prediction", "prediction")
    assert at_first >= 3600
    assert 0 <= again < 3600
