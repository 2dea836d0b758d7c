"""Job cleanup: exactly what is old enough goes, and never what waits for a person."""

from __future__ import annotations

import datetime as dt
import uuid

import psycopg
import pytest

from convex_common.errors import LeaseLost
from convex_common.ids import Ids
from convex_common.postgres import job_runs
from convex_common.postgres.bootstrap import ensure_workspace
from convex_common.postgres.database import Database
from convex_common.postgres.job_runner import JobRunner
from convex_common.timetable import LOCAL_QUEUE
from convex_scheduler.jobs import cleanup
from tests.support import jobs
from tests.support.postgres import Store

IDS = Ids()
SLOT = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=30)
NEVER = None


def add(
    store: Store, job: str, slot: int, status: str, age: dt.timedelta | None, *, requested_by: str | None = None
) -> None:
    with psycopg.connect(store.owner_url) as owner:
        run_id = IDS.new()
        owner.execute(
            "INSERT INTO job_runs (id, job, slot, queue, requested_by, created_at) "
            "VALUES (%s, %s, %s, 'analytics', %s, now() - interval '90 days')",
            (run_id, job, SLOT + dt.timedelta(hours=slot), requested_by),
        )
        owner.execute(
            "UPDATE job_runs SET status = %s, finished_at = now() - %s::interval WHERE id = %s", (status, age, run_id)
        )


def add_counter(store: Store, workspace_id: uuid.UUID, age: dt.timedelta) -> None:
    with psycopg.connect(store.owner_url) as owner:
        owner.execute(
            "INSERT INTO queue_counters (workspace_id, queue, minute, slot, completed) "
            "VALUES (%s, 'alert', now() - %s, 0, 1)",
            (workspace_id, age),
        )


def clean(database: Database, *, enabled: bool = True, batch: int = 1000) -> job_runs.Run:
    slot = dt.datetime.now(dt.UTC)
    with database.transaction() as connection:
        job_runs.request(connection, IDS.new(), cleanup.NAME, slot, LOCAL_QUEUE)
    job = cleanup.JobCleanup(database, enabled=enabled, batch=batch)
    assert JobRunner(database, LOCAL_QUEUE, lambda name: job, 60.0).drain() == 1
    with database.transaction() as connection:
        run = job_runs.find(connection, cleanup.NAME, slot)
    assert run is not None
    return run


@pytest.mark.parametrize(
    ("status", "age", "stays"),
    [
        pytest.param("completed", cleanup.KEEP_COMPLETED - SECOND, True, id="completed, not an hour ago"),
        pytest.param("completed", cleanup.KEEP_COMPLETED + SECOND, False, id="completed over an hour ago"),
        pytest.param("skipped", cleanup.KEEP_COMPLETED + SECOND, False, id="skipped over an hour ago"),
        pytest.param("failed", cleanup.KEEP_FAILED - SECOND, True, id="failed, not a day ago"),
        pytest.param("failed", cleanup.KEEP_FAILED + SECOND, False, id="failed over a day ago"),
        pytest.param("quarantined", dt.timedelta(days=80), True, id="quarantined"),
        pytest.param("pending", NEVER, True, id="pending since long"),
        pytest.param("running", NEVER, True, id="running since long"),
    ],
)
def test_limits(database: Database, store: Store, status: str, age: dt.timedelta | None, stays: bool) -> None:
    add(store, "some", 0, status, age)
    add(store, "some", 1, "completed", dt.timedelta(0))
    run = clean(database)
    assert run.status == "completed"
    assert len(jobs.rows(store, "SELECT FROM job_runs WHERE job = 'some'")) == 1 + stays
    assert sum(run.detail.values()) == (not stays)


@pytest.mark.parametrize(
    ("history", "left"),
    [
        pytest.param(["completed", "completed", "completed"], [2], id="the newest slot"),
        pytest.param(["completed", "failed", "failed"], [2], id="whatever became of it"),
        pytest.param(["skipped", "skipped"], [1], id="also if it had nothing to do"),
        pytest.param(["quarantined", "completed"], [0, 1], id="and what waits for a person"),
    ],
)
def test_a_job_is_never_forgotten(database: Database, store: Store, history: list[str], left: list[int]) -> None:
    for slot, status in enumerate(history):
        add(store, "some", slot, status, dt.timedelta(days=30))
    clean(database)
    found = jobs.rows(store, "SELECT slot FROM job_runs WHERE job = 'some' ORDER BY slot")
    assert [row["slot"] for row in found] == [SLOT + dt.timedelta(hours=slot) for slot in left]


def test_what_people_asked_for_is_no_slot_of_the_timetable(database: Database, store: Store) -> None:
    add(store, "some", 0, "completed", dt.timedelta(days=1))
    add(store, "some", 1, "completed", dt.timedelta(days=1), requested_by="ada")
    clean(database)
    (left,) = jobs.rows(store, "SELECT slot FROM job_runs WHERE job = 'some'")
    assert left["slot"] == SLOT


def test_totals_outlive_the_runs(database: Database, store: Store) -> None:
    for slot, status in enumerate(["completed", "completed", "failed", "skipped", "quarantined", "completed"]):
        add(store, "some", slot, status, dt.timedelta(days=30) - slot * dt.timedelta(minutes=1))
    (before,) = jobs.rows(store, "SELECT * FROM job_totals WHERE job = 'some'")
    assert (before["completed"], before["failed"], before["skipped"], before["quarantined"]) == (3, 1, 1, 1)
    assert before["last_status"] == "completed"
    assert before["last_run_at"] == before["last_success_at"]
    clean(database)
    assert len(jobs.rows(store, "SELECT FROM job_runs WHERE job = 'some'")) == 2
    assert jobs.rows(store, "SELECT * FROM job_totals WHERE job = 'some'") == [before]


def test_counters_of_every_workspace_in_batches(database: Database, store: Store) -> None:
    other = ensure_workspace(store.owner_url, slug="other", name="Other", owner_user="owner")
    for workspace_id in (store.workspace_id, other):
        for minutes in range(5):
            add_counter(store, workspace_id, cleanup.KEEP_COUNTERS + dt.timedelta(minutes=1 + minutes))
        add_counter(store, workspace_id, cleanup.KEEP_COUNTERS - SECOND)
    for slot in range(6):
        add(store, "some", slot, "completed", dt.timedelta(days=1))
    run = clean(database, batch=2)
    assert run.detail == {"completed_runs": 5, "failed_runs": 0, "counters": 10}
    assert len(jobs.rows(store, "SELECT FROM queue_counters")) == 2


def test_switched_off(database: Database, store: Store) -> None:
    add(store, "some", 0, "completed", dt.timedelta(days=1))
    add(store, "some", 1, "completed", dt.timedelta(days=1))
    add_counter(store, store.workspace_id, dt.timedelta(days=2))
    assert clean(database, enabled=False).detail == {"skipped": "QUEUE_CLEANUP is false"}
    assert len(jobs.rows(store, "SELECT FROM job_runs WHERE job = 'some'")) == 2
    assert len(jobs.rows(store, "SELECT FROM queue_counters")) == 1


def test_a_lost_lease_takes_its_batch_back(database: Database, store: Store) -> None:
    add(store, "some", 0, "completed", dt.timedelta(days=1))
    add(store, "some", 1, "completed", dt.timedelta(days=1))

    class Lost:
        def hold(self, connection: object) -> None:
            raise LeaseLost("somebody else has it")

    with pytest.raises(LeaseLost):
        cleanup.JobCleanup(database, enabled=True)(Lost())  # type: ignore[arg-type]  # only `hold` is used
    assert len(jobs.rows(store, "SELECT FROM job_runs WHERE job = 'some'")) == 2
