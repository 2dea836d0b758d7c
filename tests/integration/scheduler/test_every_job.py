"""Of every job on the timetable, whichever: once where it is run twice, completed after a kill, caught up once.

As processes, with the service that runs the job's queue. A job is killed midway by a lock that is held here: on what it
works with where that is named, and in any case on the totals that its last statement counts it in.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from convex_common.ids import Ids
from convex_common.timetable import LOCAL_QUEUE, TIMETABLE, ScheduledJob
from tests.support import jobs
from tests.support.eventually import eventually
from tests.support.jobs import Service, environment, run_job, running
from tests.support.postgres import Store
from tests.support.valkey import Valkey

AT = "2026-03-10T12:34:56Z"
DONE = ("completed", "skipped")

MIDWAY = {
    "analytics-aggregation": "alert_log",
    "alert-statistics-refresh": "alert_log",
    "job-cleanup": "queue_counters",
    "retention": "user_notifications",
}
"""The table that a job works with halfway through."""

ALWAYS = ("partitions", "analytics-aggregation")
"""One that the command does itself and one that is handed over; all others only at length."""


def at_length(job: ScheduledJob) -> Sequence[pytest.MarkDecorator]:
    return () if job.name in ALWAYS else (pytest.mark.long,)


every_job = pytest.mark.parametrize("job", [pytest.param(job, id=job.name, marks=at_length(job)) for job in TIMETABLE])


@pytest.fixture
def env(store: Store, valkey: Valkey, queue_prefix: str) -> dict[str, str]:
    brief = {"SCHEDULER_LEASE_SECONDS": "1", "ANALYTICS_LEASE_SECONDS": "1"}
    return environment(store, valkey.url, queue_prefix, **brief)


@contextmanager
def worker(job: ScheduledJob, env: dict[str, str]) -> Iterator[Service | None]:
    """Who runs the job besides the command: nobody where the command does it itself."""
    if job.is_local:
        yield None
        return
    with running("convex-analytics", env) as service:
        eventually(service.ready, within=30)
        yield service


def run_of(store: Store, job: ScheduledJob) -> dict[str, Any]:
    return jobs.job_run(store, job.name)


@every_job
def test_run_twice_at_once_it_works_once(store: Store, env: dict[str, str], job: ScheduledJob) -> None:
    env |= {"SCHEDULER_LEASE_SECONDS": "30", "ANALYTICS_LEASE_SECONDS": "60"}
    with worker(job, env), ThreadPoolExecutor(2) as threads:
        both = list(threads.map(lambda _: run_job(env, job.name, "--at", AT, "--wait"), range(2)))
        third = run_job(env, job.name, "--at", AT, "--wait")
    assert [code for code, _ in (*both, third)] == [0, 0, 0], (both, third)
    run = run_of(store, job)
    assert (run["status"] in DONE, run["claims"], run["attempts"]) == (True, 1, 0)
    (totals,) = jobs.rows(store, "SELECT * FROM job_totals WHERE job = %s", job.name)
    assert totals["completed"] + totals["skipped"] == 1


@pytest.mark.parametrize(
    ("job", "table"),
    [
        pytest.param(job, table, id=f"{job.name} at {table}", marks=at_length(job))
        for job in TIMETABLE
        for table in (MIDWAY.get(job.name), "job_totals")
        if table
    ],
)
def test_killed_midway_and_run_again_it_completes(
    store: Store, env: dict[str, str], job: ScheduledJob, table: str
) -> None:
    command = ("run", job.name, "--at", AT, "--wait")
    with psycopg.connect(store.owner_url) as owner:
        owner.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(table)))
        with worker(job, env) as service, running("convex-scheduler", env, *command) as asking:
            eventually(lambda: waits_for(owner, table), within=30, what=f"{job.name} at {table}")
            assert run_of(store, job)["status"] == "running"
            (service or asking).kill()
    with worker(job, env):
        code, line = run_job(env, job.name, "--at", AT, "--wait")
    assert code == 0, line
    run = run_of(store, job)
    assert run["status"] in DONE
    assert (run["claims"], run["attempts"]) == (2, 1)


def waits_for(owner: psycopg.Connection[Any], table: str) -> bool:
    waiting = owner.execute(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = %s::regclass AND NOT granted)", (table,)
    ).fetchone()
    return bool(waiting and waiting[0])


def test_what_was_missed_is_caught_up_once(store: Store, env: dict[str, str]) -> None:
    """Both services were away for five slots of every job; restarted, they add nothing."""
    env |= {"SCHEDULER_LEASE_SECONDS": "30", "ANALYTICS_LEASE_SECONDS": "60"}
    began = dt.datetime.now(dt.UTC)
    with psycopg.connect(store.owner_url) as owner:
        for job in TIMETABLE:
            slot = job.latest_due(began)
            for _ in range(6):
                slot = job.latest_due(slot - dt.timedelta(seconds=1))
            owner.execute(
                "INSERT INTO job_runs (id, job, slot, queue, status, finished_at) "
                "VALUES (%s, %s, %s, %s, 'completed', now())",
                (Ids().new(), job.name, slot, job.queue),
            )
    for _ in range(2):
        with running("convex-scheduler", env) as scheduler, running("convex-analytics", env):
            eventually(lambda: len(caught_up(store)) >= len(TIMETABLE.jobs), within=60, what="every job caught up")
            eventually(scheduler.ready, within=30)
            assert scheduler.stop() == 0
    ended = dt.datetime.now(dt.UTC)
    for job in TIMETABLE:
        slots = {run["slot"] for run in caught_up(store) if run["job"] == job.name}
        assert job.latest_due(began) in slots
        assert slots <= {job.latest_due(began), *job.due_between(began, ended)}, job.name


def caught_up(store: Store) -> list[dict[str, Any]]:
    return jobs.rows(store, "SELECT * FROM job_runs WHERE claims > 0 AND status = ANY(%s)", [*DONE])


def test_a_run_now_is_done_where_only_the_status_is_served(store: Store, env: dict[str, str]) -> None:
    env |= {"SCHEDULER_LOOP": "false", "SCHEDULER_LEASE_SECONDS": "30"}
    local = [job for job in TIMETABLE if job.queue == LOCAL_QUEUE]
    with psycopg.connect(store.owner_url) as owner:
        for job in local:
            owner.execute(
                "INSERT INTO job_runs (id, job, slot, queue, requested_by) VALUES (%s, %s, now(), %s, 'ada')",
                (Ids().new(), job.name, job.queue),
            )
    with running("convex-scheduler", env) as scheduler:
        for job in local:
            jobs.when_status(store, job.name, "completed", within=60)
        assert scheduler.stop() == 0
    assert len(jobs.rows(store, "SELECT FROM job_runs")) == len(local), "it asks for nothing itself"
