"""The keeper between real PostgreSQL and a stand-in of the cluster: orders, runs by hand, and every way it can fail."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from convex_common.ids import Ids
from convex_common.metrics import Metrics
from convex_common.postgres import job_runs, job_standings
from convex_common.postgres.database import Database
from convex_common.postgres.job_runner import JobRunner, Lease
from convex_common.timetable import LOCAL_QUEUE, TIMETABLE
from convex_scheduler.kubernetes import cluster as adapter
from convex_scheduler.kubernetes.cluster import Cluster, by_kubeconfig
from convex_scheduler.kubernetes.keeper import Keeper
from convex_scheduler.kubernetes.nowhere import NoCluster
from convex_scheduler.main import TAKE_OVER_AFTER
from tests.support import jobs
from tests.support.kubernetes import NAMESPACE, SELECTOR, Fault, KubernetesApi, a_cron_job, kubernetes_api
from tests.support.postgres import Store

ABLE = ("job-cleanup",)


class World:
    """A keeper with a clock of its own, a cluster, and the people."""

    def __init__(self, api: KubernetesApi, database: Database, store: Store) -> None:
        self.api, self.database, self.store = api, database, store
        self.now = 1000.0
        self.restart()

    def restart(self) -> None:
        """A new process: it remembers nothing."""
        self.metrics = Metrics(CollectorRegistry())
        cluster = Cluster(by_kubeconfig(self.api.kubeconfig), NAMESPACE, SELECTOR, self.metrics)
        self.keeper = Keeper(self.database, cluster, TIMETABLE, ABLE, self.metrics, clock=lambda: self.now)

    def later(self, seconds: float = 10.0) -> None:
        """A step, as much later."""
        self.now += seconds
        self.keeper.step()

    def sql(self, statement: str, *values: object) -> None:
        with psycopg.connect(self.store.owner_url) as owner:
            owner.execute(statement.encode(), values)

    def order(self, suspended: bool, job: str = "retention") -> None:
        """As the gateway puts it on record."""
        self.sql(
            "INSERT INTO job_orders (job, suspended, ordered_by) VALUES (%s, %s, 'ada') ON CONFLICT (job) DO UPDATE "
            "SET suspended = excluded.suspended, ordered_at = clock_timestamp(), done_at = NULL",
            job,
            suspended,
        )

    def run_now(self, job: str = "job-cleanup", age: float = 0.0) -> uuid.UUID:
        """As the gateway puts it on record, so many seconds ago."""
        run_id = Ids().new()
        self.sql(
            "INSERT INTO job_runs (id, job, slot, queue, requested_by, created_at, due_at) VALUES (%s, %s, now(), %s, "
            "'ada', now() - %s * interval '1 s', now() - %s * interval '1 s')",
            *(run_id, job, LOCAL_QUEUE, age, age),
        )
        return run_id

    def run(self, run_id: uuid.UUID) -> dict[str, Any]:
        (found,) = jobs.rows(self.store, "SELECT * FROM job_runs WHERE id = %s", run_id)
        return found

    def standing(self, job: str = "retention") -> Any:
        with self.database.transaction() as connection:
            return job_standings.read(connection).get(job)

    def sight(self) -> Any:
        with self.database.transaction() as connection:
            return job_standings.read_sight(connection)

    def suspended(self, job: str = "retention") -> bool:
        return bool(self.api.get("cronjobs", f"alerts-{job}")["spec"]["suspend"])

    def serve(self, beside: Any = TAKE_OVER_AFTER) -> int:
        """What `serve` does by itself."""

        def job(lease: Lease) -> Mapping[str, Any]:
            return {}

        return JobRunner(self.database, LOCAL_QUEUE, lambda name: job, 60.0, only=ABLE, beside=beside).drain()


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesApi]:
    monkeypatch.setattr(adapter, "TIMEOUT", (1.0, 1.0))
    with kubernetes_api(tmp_path) as api:
        api.add(a_cron_job("retention"), a_cron_job("job-cleanup"), a_cron_job("of-somebody-else"))
        yield api


@pytest.fixture
def world(api: KubernetesApi, database: Database, store: Store) -> World:
    return World(api, database, store)


def test_what_is_there_is_told(world: World, api: KubernetesApi) -> None:
    world.later()
    seen = world.standing().cron_job
    assert (seen.name, seen.schedule, seen.suspended, seen.active) == ("alerts-retention", "0 * * * *", False, 0)
    assert world.standing("of-somebody-else") is None, "it is on nobody's timetable"
    assert world.sight().reachable
    assert world.metrics.registry.get_sample_value("kubernetes_reachable") == 1
    api.delete("cronjobs", "alerts-retention")
    world.later(1)
    assert api.count("list", "cronjobs") == 1, "it looks every ten seconds"
    world.later(9)
    assert world.standing() is None
    NoCluster(world.database).run(threading.Event())
    assert (world.standing("job-cleanup"), world.sight()) == (None, None)


def test_an_order_is_carried_out_within_a_step_and_holds(world: World, api: KubernetesApi) -> None:
    world.later()
    world.order(True)
    world.later(1)
    assert world.suspended()
    assert (world.standing().order.done, world.standing().wish) == (True, None)
    api.change("cronjobs", "alerts-retention", {"spec": {"suspend": False}})  # an upgrade, or kubectl
    world.restart()
    world.later()
    assert world.suspended(), "a person's order holds until it is taken back"
    world.order(False)
    world.later(1)
    assert not world.suspended()
    assert api.count("patch", "cronjobs") == 3


def test_what_kubectl_suspends_stays_so_until_a_person_resumes_it_and_may_be_suspended_again(
    world: World, api: KubernetesApi
) -> None:
    api.change("cronjobs", "alerts-retention", {"spec": {"suspend": True}})
    world.later()
    assert world.standing().suspension.source == "cluster"
    world.later()
    assert world.suspended()
    world.order(False)
    world.later(1)
    assert (world.suspended(), world.standing().suspension) == (False, None)
    api.change("cronjobs", "alerts-retention", {"spec": {"suspend": True}})
    world.later()
    world.later()
    assert world.suspended(), "an order to resume is carried out once"


def test_values_are_the_charts_and_a_resumption_waits_for_them(world: World, api: KubernetesApi) -> None:
    mark = {"metadata": {"annotations": {"convex-alerts.io/suspended-by": "values"}}, "spec": {"suspend": True}}
    api.change("cronjobs", "alerts-retention", mark)
    world.later()
    world.order(False)
    world.later()
    assert world.suspended()
    assert world.standing().suspension.source == "values"
    api.change("cronjobs", "alerts-retention", {"metadata": {"annotations": None}})
    world.later()
    assert not world.suspended()


def test_an_order_that_is_refused_is_told_and_tried_at_every_look(
    world: World, api: KubernetesApi, caplog: pytest.LogCaptureFixture
) -> None:
    world.later()
    api.faults = [Fault(403, "not you", verb="patch")]
    world.order(True)
    with caplog.at_level(logging.WARNING):
        for _ in range(25):
            world.later(1)
    assert 2 <= api.count("patch", "cronjobs") <= 4
    assert "403 not you" in world.standing().cron_job.error
    assert world.sight().reachable, "it can be seen all the same"
    assert len([line for line in caplog.messages if "cannot be carried out" in line]) == 1
    assert (world.standing().suspension.source, world.standing().wish) == ("order", "suspend")
    api.faults = []
    world.later()
    assert world.suspended()
    assert world.standing().cron_job.error is None


def test_a_run_by_hand_gets_one_job_however_often_the_scheduler_dies(world: World, api: KubernetesApi) -> None:
    run_id = world.run_now()
    world.later()
    (name,) = api.names("jobs")
    assert world.run(run_id)["kubernetes_job"] == name
    assert api.get("jobs", name)["spec"]["template"]["spec"]["containers"][0]["command"][-2:] == [
        "--run-id",
        str(run_id),
    ]
    world.sql("UPDATE job_runs SET kubernetes_job = NULL")  # it died before it could write that down
    world.restart()
    world.later()
    assert (api.names("jobs"), world.run(run_id)["kubernetes_job"]) == ([name], name)
    assert api.count("create", "jobs") == 2
    assert world.serve() == 0, "and the scheduler leaves it to the Job"
    world.later()
    (shown,) = world.standing("job-cleanup").cron_job.newest_jobs
    assert (shown["name"], shown["status"], shown["run_id"]) == (name, "active", str(run_id))
    assert world.standing("job-cleanup").cron_job.active == 1


def test_a_job_that_was_made_though_nobody_heard_of_it_is_taken_for_it(world: World, api: KubernetesApi) -> None:
    world.later()
    api.faults = [Fault(0, verb="create", times=1, after=True)]
    run_id = world.run_now()
    world.later(1)
    assert world.run(run_id)["kubernetes_job"] is None
    assert not world.sight().reachable
    world.later(2)
    assert world.run(run_id)["kubernetes_job"] == api.names("jobs")[0]
    assert world.sight().reachable


def test_a_job_of_the_same_name_that_is_anothers_is_none(world: World, api: KubernetesApi) -> None:
    run_id = world.run_now()
    world.later()
    (name,) = api.names("jobs")
    api.change("jobs", name, {"metadata": {"labels": {"convex-alerts.io/run-id": str(Ids().new())}}})
    world.sql("UPDATE job_runs SET kubernetes_job = NULL, due_at = now() - interval '11 s'")
    world.sql("UPDATE job_runs SET created_at = due_at")
    world.later()
    assert "is another's" in world.run(run_id)["no_kubernetes_job"]


@pytest.mark.parametrize(
    ("faults", "reason", "reachable"),
    [
        pytest.param([Fault(403, "exceeded quota: jobs", verb="create")], "exceeded quota", True, id="quota"),
        pytest.param([Fault(429, verb="create")], "create job: 429", True, id="too many requests"),
        pytest.param([Fault(404, verb="get")], "get cronjob: 404", True, id="the CronJob has just gone"),
        pytest.param([Fault(403, "no right")], "get cronjob: 403 no right", False, id="no right to anything"),
        pytest.param([Fault(429, headers={"Retry-After": "30"})], "429", False, id="asks for a pause"),
        pytest.param([Fault(0)], "ProtocolError", False, id="hangs up"),
    ],
)
def test_where_no_job_can_be_made_the_scheduler_does_the_run_and_says_why(
    world: World,
    api: KubernetesApi,
    caplog: pytest.LogCaptureFixture,
    faults: list[Fault],
    reason: str,
    reachable: bool,
) -> None:
    world.later()
    api.faults = faults
    run_id = world.run_now()
    with caplog.at_level(logging.INFO):
        world.later()
        assert world.run(run_id)["no_kubernetes_job"] is None
        assert world.serve() == 0, "it waits for its Job for a while"
        world.sql("UPDATE job_runs SET created_at = created_at - interval '11 s', due_at = due_at - interval '11 s'")
        world.later()
        assert reason in world.run(run_id)["no_kubernetes_job"]
        assert world.serve() == 1
    run = world.run(run_id)
    assert (run["status"], run["kubernetes_job"], api.names("jobs")) == ("completed", None, [])
    assert len([line for line in caplog.messages if "the scheduler does the run itself" in line]) == 1
    assert len([line for line in caplog.messages if "the cluster cannot be asked" in line]) == (not reachable)
    sight = world.sight()
    assert sight.reachable is reachable
    assert reachable or "list cronjobs: " in sight.error
    assert world.metrics.registry.get_sample_value("kubernetes_reachable") == reachable
    api.faults = []
    with caplog.at_level(logging.INFO):
        world.later(60)
    assert world.sight().reachable, "it heals by itself"
    assert ("the cluster answers again" in caplog.text) is not reachable


def test_an_api_that_has_too_much_to_do_is_not_asked_for_everything_at_once(world: World, api: KubernetesApi) -> None:
    world.later()
    api.faults = [Fault(429, verb="create", headers={"Retry-After": "5"})]
    world.run_now()
    world.run_now("retention")
    world.later(1)
    world.later(4.9)
    assert api.count("create", "jobs") == 1
    api.faults = []
    world.later(0.1)
    assert len(api.names("jobs")) == 2


def test_what_the_scheduler_cannot_do_waits_for_its_job_and_says_why(world: World, api: KubernetesApi) -> None:
    api.faults = [Fault(403, "exceeded quota", verb="create")]
    run_id = world.run_now("retention", age=60)
    world.later()
    run = world.run(run_id)
    assert (run["status"], run["no_kubernetes_job"]) == ("pending", None)
    assert "exceeded quota" in run["last_error"]
    api.faults = []
    world.later()
    run = world.run(run_id)
    assert (run["kubernetes_job"], run["last_error"]) == (api.names("jobs")[0], None)


def test_a_job_without_a_cronjob(world: World, api: KubernetesApi) -> None:
    api.delete("cronjobs", "alerts-job-cleanup")
    api.delete("cronjobs", "alerts-retention")
    ours, owners = world.run_now(age=11), world.run_now("retention", age=11)
    world.later()
    assert world.run(ours)["no_kubernetes_job"] == "there is no CronJob of this job"
    run = world.run(owners)
    assert run["status"] == "failed"
    assert run["last_error"] == "there is no CronJob of this job, and the scheduler has no DATABASE_OWNER_URL"


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        pytest.param(
            lambda api, name: api.end(name, failed="BackoffLimitExceeded"), "BackoffLimitExceeded", id="failed"
        ),
        pytest.param(lambda api, name: api.end(name), "completed without finishing it", id="done, it thinks"),
        pytest.param(lambda api, name: api.delete("jobs", name), "was deleted before", id="deleted"),
    ],
)
def test_a_run_whose_job_is_over_without_having_done_it_has_failed(
    world: World, api: KubernetesApi, end: Any, reason: str
) -> None:
    run_id = world.run_now()
    world.later()
    (name,) = api.names("jobs")
    end(api, name)
    with world.database.transaction() as connection:
        held = job_runs.claim(connection, LOCAL_QUEUE, TAKE_OVER_AFTER, only=run_id)
    assert held is not None
    world.later()
    assert world.run(run_id)["status"] == "running", "its worker holds it: it may be winding up"
    with world.database.transaction() as connection:
        job_runs.release(connection, held)
    world.later()
    run = world.run(run_id)
    assert run["status"] == "failed"
    assert reason in run["last_error"]


def test_slots_of_the_timetable_are_the_cronjobs_until_nobody_comes(world: World) -> None:
    with world.database.transaction() as connection:
        slot = TIMETABLE.job("job-cleanup").latest_due(dt.datetime.now(dt.UTC))
        job_runs.request(connection, Ids().new(), "job-cleanup", slot, LOCAL_QUEUE)
    assert world.serve() == 0
    world.later()
    assert world.api.names("jobs") == []
    world.sql("UPDATE job_runs SET due_at = due_at - interval '61 s'")
    assert world.serve() == 1


def test_a_run_that_is_replayed_gets_a_job_of_its_own(world: World, api: KubernetesApi) -> None:
    run_id = world.run_now()
    world.later()
    world.sql("UPDATE job_runs SET kubernetes_job = NULL, replays = 1, due_at = now()")  # as the quarantine does
    world.later()
    first, second = api.names("jobs")
    assert world.run(run_id)["kubernetes_job"] == second == f"{first}-1"


def test_two_schedulers_do_no_harm(world: World, api: KubernetesApi, database: Database, store: Store) -> None:
    other = World(api, database, store)
    run_id = world.run_now()
    world.order(True)
    for _ in range(2):
        world.later()
        other.later()
    assert world.run(run_id)["kubernetes_job"] == api.names("jobs")[0]
    assert len(api.names("jobs")) == api.count("patch", "cronjobs") == 1
