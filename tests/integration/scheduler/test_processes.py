"""The scheduler's processes, started as people start them."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from convex_common.timetable import TIMETABLE
from tests.support import jobs
from tests.support.eventually import eventually
from tests.support.jobs import Service, environment, program, run_job, running
from tests.support.postgres import Store
from tests.support.valkey import Valkey


@pytest.fixture
def env(store: Store, valkey: Valkey, queue_prefix: str) -> dict[str, str]:
    return environment(store, valkey.url, queue_prefix)


def test_run_twice_at_once_works_once(store: Store, env: dict[str, str]) -> None:
    with ThreadPoolExecutor(2) as threads:
        both = list(threads.map(lambda _: run_job(env, "job-cleanup", "--at", "2026-03-10T12:00:00Z"), range(2)))
    assert [code for code, _ in both] == [0, 0]
    assert all(line.startswith("job-cleanup 2026-03-10T12:00:00Z completed") for _, line in both)
    run = jobs.job_run(store, "job-cleanup")
    assert (run["status"], run["claims"], run["attempts"]) == ("completed", 1, 0)
    code, line = run_job(env, "job-cleanup", "--at", "2026-03-10T12:00:00Z")
    assert code == 0
    assert line.startswith("job-cleanup 2026-03-10T12:00:00Z completed before ")


def test_killed_midway_and_run_again_completes(store: Store, env: dict[str, str]) -> None:
    env = {**env, "SCHEDULER_LEASE_SECONDS": "1"}
    with psycopg.connect(store.owner_url) as owner:
        owner.execute("LOCK TABLE queue_counters IN ACCESS EXCLUSIVE MODE")
        with running("convex-scheduler", env, "run", "job-cleanup") as first:
            eventually(lambda: jobs.rows(store, "SELECT FROM job_runs WHERE status = 'running'"), within=20)
            first.kill()
    code, line = run_job(env, "job-cleanup")
    assert code == 0, line
    run = jobs.job_run(store, "job-cleanup")
    assert (run["status"], run["claims"], run["attempts"]) == ("completed", 2, 1)


def test_partitions_are_made(store: Store, env: dict[str, str]) -> None:
    with psycopg.connect(store.owner_url, autocommit=True) as owner:
        (dropped,) = owner.execute(
            "SELECT max(c.relname) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
            "WHERE i.inhparent = 'observations'::regclass AND c.relname <> 'observations_default'"
        ).fetchone() or ("",)
        owner.execute(f'DROP TABLE "{dropped}"')
    code, line = run_job(env, "partitions")
    assert (code, jobs.detail_of(line)) == (0, {"made": [dropped]})


def test_a_job_of_another_service_is_handed_over_and_awaited(store: Store, env: dict[str, str]) -> None:
    at = ("analytics-aggregation", "--at", "2026-03-10T05:00:00Z")
    assert run_job(env, *at) == (0, "analytics-aggregation 2026-03-10T02:00:00Z handed over to analytics")
    assert run_job(env, *at) == (0, "analytics-aggregation 2026-03-10T02:00:00Z was handed over to analytics before")
    code, line = run_job(env, *at, "--wait", "--timeout", "0.5")
    assert (code, line) == (75, "analytics-aggregation 2026-03-10T02:00:00Z is still pending")
    with running("convex-analytics", env):
        code, line = run_job(env, *at, "--wait")
    assert code == 0
    assert jobs.detail_of(line) == {"day": "2026-03-09", "workspaces": 1, "frameworks": 0, "alerts": 0}


def test_every_slot_of_a_range_is_run_once(store: Store, env: dict[str, str]) -> None:
    days = ("analytics-aggregation", "--from", "2026-03-08T00:00:00Z", "--at", "2026-03-10T12:00:00Z", "--wait")
    with running("convex-analytics", env):
        for before in ("", "before "):
            code, lines = run_job(env, *days)
            assert code == 0
            assert [line.partition(" {")[0] for line in lines.splitlines()] == [
                f"analytics-aggregation 2026-03-{day}T02:00:00Z completed {before}".rstrip()
                for day in ("08", "09", "10")
            ]
            assert [jobs.detail_of(line)["day"] for line in lines.splitlines()] == [
                "2026-03-07", "2026-03-08", "2026-03-09",
            ]  # fmt: skip
    code, line = run_job(env, "job-cleanup", "--from", "2026-03-08T01:00:00Z", "--at", "2026-03-08T02:00:00Z")
    assert (code, line) == (2, "")


def test_a_range_that_is_interrupted_goes_on_where_it_was(store: Store, env: dict[str, str]) -> None:
    days = ("--from", "2026-03-08T00:00:00Z", "--at", "2026-03-10T12:00:00Z", "--wait")
    first, second, third = (f"analytics-aggregation 2026-03-{day}T02:00:00Z" for day in ("08", "09", "10"))
    with running("convex-analytics", env):
        assert run_job(env, "analytics-aggregation", "--at", "2026-03-08T12:00:00Z", "--wait")[0] == 0
        with psycopg.connect(store.owner_url) as owner:
            owner.execute("LOCK TABLE alert_log IN ACCESS EXCLUSIVE MODE")
            command = [program("convex-scheduler"), "run", "analytics-aggregation", *days]
            asked = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
            assert asked.stdout is not None
            assert asked.stdout.readline().startswith(f"{first} completed before"), "each is told when it is over"
            eventually(lambda: jobs.rows(store, "SELECT FROM job_runs WHERE status = 'running'"), within=30)
            asked.send_signal(signal.SIGINT)
            assert asked.communicate(timeout=30)[0] == f"{second} is still running\n"
            assert asked.returncode == 75
        code, lines = run_job(env, "analytics-aggregation", *days)
    assert code == 0
    told = lines.splitlines()
    assert [line.partition(" completed")[0] for line in told] == [first, second, third]
    assert [run["claims"] for run in jobs.rows(store, "SELECT claims FROM job_runs")] == [1, 1, 1], "none of them twice"


def ready(service: Service) -> None:
    eventually(service.ready, within=20, what="ready")


def test_serve_catches_up_exports_and_stops(store: Store, env: dict[str, str]) -> None:
    with running("convex-scheduler", env) as scheduler, running("convex-analytics", env) as analytics:
        ready(scheduler)
        ready(analytics)
        for job in ("job-cleanup", "partitions", "analytics-aggregation"):
            jobs.when_status(store, job, "completed")
            last = f'scheduled_job_last_success_timestamp_seconds{{job="{job}"}}'
            assert eventually(lambda last=last: scheduler.metric(last), within=10)  # type: ignore[misc]  # bound per turn
        assert scheduler.metric('queue_job_count{queue="alert",state="waiting"}') == 0
        code, page = scheduler.get("/jobs")
        told = {job["name"]: job for job in json.loads(page)["items"]}
        assert (code, [*told]) == (200, [job.name for job in TIMETABLE])
        cleanup = told["job-cleanup"]
        assert (cleanup["runs_completed"], cleanup["last_status"], cleanup["running"]) == (1, "completed", False)
        assert cleanup["next_run"] > cleanup["last_run"]
        assert scheduler.get("/healthz")[0] == 200
        assert scheduler.stop() == 0
        assert analytics.stop() == 0
    with running("convex-scheduler", env) as again:
        ready(again)
        assert again.stop() == 0
    ran = [row["job"] for row in jobs.rows(store, "SELECT job FROM job_runs")]
    assert len(ran) == len({*ran}) == len(TIMETABLE.jobs), "a restart repeats nothing"


def test_serve_without_the_owner_leaves_partitions_to_others(store: Store, env: dict[str, str]) -> None:
    env = {name: value for name, value in env.items() if name != "DATABASE_OWNER_URL"}
    with running("convex-scheduler", env) as scheduler:
        ready(scheduler)
        jobs.when_status(store, "job-cleanup", "completed")
        off = "SELECT FROM self_audit WHERE next_within IS NULL"
        eventually(lambda: jobs.rows(store, off), within=30, what="without its address the self-audit is off")
    assert jobs.rows(store, "SELECT FROM job_runs WHERE job = 'partitions'") == []


def test_serve_heals(store: Store, queue_prefix: str, absent_valkey: Valkey) -> None:
    """Redis is away from the start, PostgreSQL refuses at first and later throws everybody out."""
    name = store.url.rpartition("/")[2]
    with psycopg.connect(store.owner_url.replace(f"/{name}", "/postgres"), autocommit=True) as owner:
        owner.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        with running("convex-scheduler", environment(store, absent_valkey.url, queue_prefix)) as scheduler:
            eventually(lambda: scheduler.get("/healthz")[0] == 200, within=20, what="live")
            assert scheduler.get("/readyz")[0] == 503
            owner.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
            eventually(scheduler.ready, within=30, what="ready")
            owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            jobs.when_status(store, "job-cleanup", "completed")
            eventually(scheduler.ready, within=30, what="ready again")
            assert scheduler.stop() == 0


def test_it_stops_in_time_while_nothing_answers(queue_prefix: str, absent_valkey: Valkey, store: Store) -> None:
    env = environment(store, absent_valkey.url, queue_prefix)
    env |= {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    for service in ("convex-scheduler", "convex-analytics"):
        with running(service, env) as away:
            eventually(lambda away=away: away.get("/healthz")[0] == 200, within=20)  # type: ignore[misc]  # bound per turn
            assert away.stop() == 0


def test_a_missing_setting_is_one_line_and_exit_2(env: dict[str, str]) -> None:
    del env["DATABASE_URL"]
    for service in ("convex-scheduler", "convex-analytics"):
        ended = subprocess.run(
            [jobs.program(service)], env=env, capture_output=True, text=True, timeout=20, check=False
        )
        assert ended.returncode == 2
        assert ended.stderr.splitlines() == [
            "DATABASE_URL: is missing; set DATABASE_URL=postgresql://USER:PASSWORD@HOST:5432/NAME"
        ]


def test_interrupted_while_it_waits(store: Store, env: dict[str, str]) -> None:
    with running("convex-scheduler", env, "run", "analytics-aggregation", "--wait") as waiting:
        eventually(lambda: jobs.rows(store, "SELECT FROM job_runs"), within=20)
        threading.Event().wait(0.3)
        assert waiting.stop() == 75
