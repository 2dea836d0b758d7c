"""Jobs by the API: how they stand, and runs beside the timetable."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from typing import Any

import psycopg
import pytest

from convex_common.contracts import JobDue
from convex_common.job_standing import CronJobSeen
from convex_common.postgres import job_runs, job_standings
from convex_common.postgres import jobs as rows
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.postgres.bootstrap import ensure_member
from convex_common.postgres.job_runner import JobRefused, JobRunner, Lease
from convex_common.timetable import LOCAL_QUEUE, TIMETABLE
from tests.support.rest import Api, token_of


@pytest.fixture(autouse=True)
def admin(api: Api) -> None:
    ensure_member(api.store.owner_url, api.workspace_id, "admin", "admin")


def run(api: Api, name: str, **more: Any) -> Any:
    return api.post(f"/jobs/{name}/run", **({"role": "owner"} | more))


def drain(api: Api, queue: str, *, refusal: str | None = None) -> int:
    def job(lease: Lease) -> Mapping[str, Any]:
        if refusal:
            raise JobRefused(refusal)
        return {"secret": "of another workspace"}

    return JobRunner(api.database, queue, lambda name: job, 60.0).drain()


def named(answer: Any, name: str) -> dict[str, Any]:
    (job,) = [job for job in answer.json()["items"] if job["name"] == name]
    return dict(job)


def test_every_job_is_listed_before_it_ever_ran(api: Api) -> None:
    answer = api.get("/jobs", role="admin")
    assert answer.status_code == 200
    assert [job["name"] for job in answer.json()["items"]] == [job.name for job in TIMETABLE]
    daily = named(answer, "analytics-aggregation")
    assert (daily["schedule"], daily["priority"]) == ("0 2 * * *", "high")
    assert (daily["runs_completed"], daily["last_run"], daily["last_status"]) == (0, None, None)
    assert dt.datetime.fromisoformat(daily["next_run"]) > dt.datetime.now(dt.UTC)
    assert not daily["running"]


def test_a_job_that_missed_its_slots_is_overdue_until_it_is_suspended(api: Api) -> None:
    with psycopg.connect(api.store.owner_url) as owner:
        owner.execute("INSERT INTO job_totals (job, last_success_at) VALUES ('partitions', now() - interval '3 hours')")
    listed = api.get("/jobs", role="admin")
    assert [job["name"] for job in listed.json()["items"] if job["overdue"]] == ["partitions"]
    assert api.get("/jobs/partitions", role="admin").json()["overdue"]
    assert not api.post("/jobs/partitions/suspend", role="owner").json()["overdue"]


def test_a_run_now_is_on_record_hinted_and_counted(api: Api) -> None:
    before = dt.datetime.now(dt.UTC)
    answer = run(api, "analytics-aggregation")
    assert answer.status_code == 202, answer.text
    asked = answer.json()
    assert (asked["name"], asked["status"]) == ("analytics-aggregation", "pending")
    slot = dt.datetime.fromisoformat(asked["slot"])
    assert abs(slot - before) < dt.timedelta(minutes=1)
    assert slot not in (job.latest_due(slot) for job in TIMETABLE)
    assert api.redis.hints == [("job_due", JobDue("analytics-aggregation", asked["slot"]))]

    with psycopg.connect(api.store.owner_url) as owner:
        acts = owner.execute("SELECT actor, action, subject, detail->>'run_id' FROM audit_log").fetchall()
    assert acts == [("owner", "job.run", "job:analytics-aggregation", asked["run_id"])]

    (waiting,) = api.get("/jobs/analytics-aggregation", role="admin").json()["runs"]
    assert (waiting["id"], waiting["status"], waiting["requested_by"]) == (asked["run_id"], "pending", "owner")
    assert drain(api, "analytics") == 1
    job = api.get("/jobs/analytics-aggregation", role="admin").json()
    assert (job["runs_completed"], job["last_status"], job["runs"][0]["status"]) == (1, "completed", "completed")
    assert job["last_success"] == job["last_run"] == job["runs"][0]["finished_at"]


def test_the_schedulers_own_jobs_need_no_hint(api: Api) -> None:
    assert run(api, "job-cleanup").status_code == 202
    assert api.redis.hints == []
    assert drain(api, LOCAL_QUEUE) == 1


def test_one_at_a_time(api: Api) -> None:
    assert run(api, "job-cleanup").status_code == 202
    refused = run(api, "job-cleanup")
    assert refused.status_code == 409
    assert "waiting or under way" in refused.json()["detail"]
    assert run(api, "partitions").status_code == 202, "another job is another matter"
    with api.database.transaction() as connection:
        claim = job_runs.claim(connection, LOCAL_QUEUE, dt.timedelta(minutes=1), jobs=["job-cleanup"])
    assert claim is not None
    assert run(api, "job-cleanup").status_code == 409
    assert named(api.get("/jobs", role="admin"), "job-cleanup")["running"]
    with api.database.transaction() as connection:
        job_runs.finish(connection, claim, {})
    assert run(api, "job-cleanup").status_code == 202


def test_a_slot_of_the_timetable_under_way_counts_too(api: Api) -> None:
    with api.database.transaction() as connection:
        slot = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
        job_runs.request(connection, api.ids.new(), "job-cleanup", slot, LOCAL_QUEUE)
    assert run(api, "job-cleanup").status_code == 409


def test_asked_by_many_at_once_it_runs_once(api: Api) -> None:
    async def ask(database: AsyncDatabase) -> dt.datetime | None:
        async with database.transaction() as connection:
            return await rows.request_now(
                connection, api.ids.new(), "job-cleanup", LOCAL_QUEUE, requested_by="ada", traceparent=""
            )

    async def by_many() -> list[dt.datetime | None]:
        database = AsyncDatabase(api.store.url, "tests", size=8)
        try:
            return await asyncio.gather(*(ask(database) for _ in range(16)))
        finally:
            await database.close()

    assert len([slot for slot in asyncio.run(by_many()) if slot is not None]) == 1


def acts(api: Api) -> list[tuple[Any, ...]]:
    with psycopg.connect(api.store.owner_url) as owner:
        return owner.execute("SELECT actor, action, subject FROM audit_log ORDER BY sequence").fetchall()


def order(api: Api, name: str, verb: str, **more: Any) -> Any:
    return api.post(f"/jobs/{name}/{verb}", **({"role": "owner"} | more))


def test_a_job_is_suspended_and_resumed(api: Api) -> None:
    for _ in range(2):
        suspended = order(api, "retention", "suspend")
        assert suspended.status_code == 200, suspended.text
        told = suspended.json()
        assert (told["suspended"], told["suspended_source"], told["suspended_by"]) == (True, "order", "owner")
        assert (told["pending_order"], told["cron_job"]) == (None, None)
    assert named(api.get("/jobs", role="admin"), "retention") == told
    assert not named(api.get("/jobs", role="admin"), "job-cleanup")["suspended"]
    assert run(api, "retention").status_code == 202, "by hand it runs all the same"
    for _ in range(2):
        resumed = order(api, "retention", "resume").json()
        assert (resumed["suspended"], resumed["suspended_source"], resumed["suspended_by"]) == (False, None, None)
    assert [action for _, action, _ in acts(api)] == ["job.suspended", "job.run", "job.resumed"], "each change once"


def seen(api: Api, job: str = "retention", **fields: Any) -> None:
    """What the scheduler saw in the cluster."""
    cron_job = {
        "name": f"alerts-{job}",
        "schedule": "30 3 * * *",
        "time_zone": "Etc/UTC",
        "suspended": False,
        "by_values": False,
        "active": 0,
        "last_schedule": None,
        "last_success": None,
        "newest_jobs": [],
    }
    with api.database.transaction() as connection:
        job_standings.seen(connection, {job: CronJobSeen(**{**cron_job, **fields})})


@pytest.mark.parametrize(
    ("cluster", "verb", "status", "source", "pending"),
    [
        pytest.param({}, "suspend", 200, "order", "suspend", id="suspended here before the cluster knows"),
        pytest.param({"suspended": True}, "resume", 200, "cluster", "resume", id="suspended by kubectl, resumed here"),
        pytest.param(
            {"suspended": True, "by_values": True}, "resume", 409, "values", None, id="values are the chart's"
        ),
        pytest.param(
            {"suspended": True, "by_values": True}, "suspend", 200, "order", None, id="an order beside values"
        ),
    ],
)
def test_what_the_cluster_says_and_what_is_ordered(
    api: Api, cluster: dict[str, Any], verb: str, status: int, source: str, pending: str | None
) -> None:
    seen(api, **cluster)
    answer = order(api, "retention", verb)
    assert answer.status_code == status, answer.text
    job = named(api.get("/jobs", role="admin"), "retention")
    assert (job["suspended"], job["suspended_source"], job["pending_order"]) == (True, source, pending)
    assert job["cron_job"]["name"] == "alerts-retention"


def test_an_order_beside_values_can_be_taken_back(api: Api) -> None:
    seen(api, suspended=True, by_values=True)
    order(api, "retention", "suspend")
    resumed = order(api, "retention", "resume")
    assert (resumed.status_code, resumed.json()["suspended_source"]) == (200, "values")
    assert order(api, "retention", "resume").status_code == 409


def test_the_next_run_is_the_clusters(api: Api) -> None:
    seen(api, schedule="59 23 31 12 *")
    due = dt.datetime.fromisoformat(api.get("/jobs/retention", role="admin").json()["next_run"])
    assert (due.month, due.day, due.hour, due.minute) == (12, 31, 23, 59)
    seen(api, schedule="@broken")
    due = dt.datetime.fromisoformat(api.get("/jobs/retention", role="admin").json()["next_run"])
    assert (due.hour, due.minute) == (3, 30), "the timetable's, where it cannot be read"


def test_whether_the_cluster_answers_is_told(api: Api) -> None:
    assert api.get("/jobs", role="admin").json()["kubernetes"] is None
    with api.database.transaction() as connection:
        job_standings.looked(connection, "alerts", "403: not allowed in alerts")
    operator = token_of(api.workspace_id, "owner", "owner", operator=True)
    for token, error in (
        (token_of(api.workspace_id, "owner", "owner"), None),
        (operator, "403: not allowed in alerts"),
    ):
        told = api.get("/jobs", token=token).json()["kubernetes"]
        assert (told["reachable"], told["error"]) == (False, error)
    with api.database.transaction() as connection:
        job_standings.looked(connection, "alerts", None)
    first = api.get("/jobs", token=operator).json()["kubernetes"]
    with api.database.transaction() as connection:
        job_standings.looked(connection, "alerts", None)
    then = api.get("/jobs", token=operator).json()["kubernetes"]
    assert (first["reachable"], then["since"]) == (True, first["since"])
    assert then["looked_at"] > first["looked_at"]
    with psycopg.connect(api.store.owner_url) as owner:
        owner.execute("UPDATE cluster_sight SET looked_at = looked_at - interval '3 minutes'")
    blind = api.get("/jobs", token=operator).json()["kubernetes"]
    assert (blind["reachable"], blind["error"]) == (False, "the scheduler has not looked since")


def test_an_idempotency_key_asks_once(api: Api) -> None:
    headers = {"Idempotency-Key": "now"}
    first, second = run(api, "job-cleanup", headers=headers), run(api, "job-cleanup", headers=headers)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()


def test_what_runs_say_is_for_operators(api: Api) -> None:
    run(api, "job-cleanup")
    drain(api, LOCAL_QUEUE, refusal="workspace of somebody else")
    run(api, "partitions")
    drain(api, LOCAL_QUEUE)
    operator = token_of(api.workspace_id, "owner", "owner", operator=True)
    for token, told, detail in (
        (token_of(api.workspace_id, "owner", "owner"), None, None),
        (operator, "workspace of somebody else", {"secret": "of another workspace"}),
    ):
        job = api.get("/jobs/job-cleanup", token=token).json()
        assert (job["last_status"], job["runs_failed"], job["last_error"]) == ("failed", 1, told)
        assert job["runs"][0]["last_error"] == told
        assert named(api.get("/jobs", token=token), "job-cleanup")["last_error"] == told
        (done,) = api.get("/jobs/partitions", token=token).json()["runs"]
        assert done["detail"] == detail


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/jobs/nonsense"),
        *(("POST", f"/jobs/nonsense/{verb}") for verb in ("run", "suspend", "resume")),
    ],
)
def test_a_job_that_there_is_not(api: Api, method: str, path: str) -> None:
    assert api.call(method, path, role="owner").status_code == 404


def test_who_may(api: Api) -> None:
    for role, reads, asks in (("viewer", 403, 403), ("editor", 403, 403), ("admin", 200, 403), ("owner", 200, 202)):
        assert api.get("/jobs", role=role).status_code == reads
        assert run(api, "job-cleanup", role=role).status_code == asks
        for verb in ("suspend", "resume"):
            assert order(api, "job-cleanup", verb, role=role).status_code == (200 if asks == 202 else asks)
