"""The scheduler's own processes in a cluster that is a stand-in, held to the Role that the chart renders for it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support import jobs, manifests
from tests.support.eventually import eventually
from tests.support.jobs import Service, environment, run_job, running
from tests.support.kubernetes import KubernetesApi, kubernetes_api
from tests.support.manifests import Manifests
from tests.support.postgres import Store
from tests.support.rest import Api, token_of
from tests.support.valkey import Valkey

pytestmark = pytest.mark.timeout(300)

RETENTION = f"{manifests.RELEASE}-convex-alerts-retention"
CLEANUP = f"{manifests.RELEASE}-convex-alerts-job-cleanup"


@pytest.fixture(scope="session")
def chart() -> Manifests:
    return manifests.render()


@pytest.fixture
def cluster(chart: Manifests, tmp_path: Path) -> Iterator[KubernetesApi]:
    """The chart's CronJobs, and the scheduler's Role."""
    rules = chart.one("Role", component="scheduler").body["rules"]
    with kubernetes_api(tmp_path, rules) as api:
        api.add(*(document.body for document in chart.all("CronJob")))
        yield api


@pytest.fixture
def env(store: Store, valkey: Valkey, queue_prefix: str, chart: Manifests, cluster: KubernetesApi) -> dict[str, str]:
    """What the chart gives the scheduler, of what concerns the cluster, and where that is."""
    (container,) = chart.one("Deployment", component="scheduler").pod.containers  # type: ignore[union-attr]  # it has one
    told = {one["name"]: one.get("value", "") for one in container.body["env"]}
    assert (told["KUBERNETES_JOBS"], told["SCHEDULER_LOOP"]) == ("true", "false")
    ours = environment(store, valkey.url, queue_prefix)
    del ours["DATABASE_OWNER_URL"]  # the chart gives it to the Jobs that need it alone
    return ours | cluster.environment(told["KUBERNETES_SELECTOR"]) | {"SCHEDULER_LOOP": "false"}


def command_of(cluster: KubernetesApi, job: str) -> list[str]:
    (container,) = cluster.get("jobs", job)["spec"]["template"]["spec"]["containers"]
    return [*container["command"], *container.get("args", ())]


def ran(command: Sequence[str], env: dict[str, str]) -> tuple[int, str]:
    """A Job's command as the kubelet starts it."""
    ended = subprocess.run(
        [jobs.program(command[0]), *command[1:]], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    return ended.returncode, ended.stdout.strip()


def told(scheduler: Service, job: str) -> dict[str, Any]:
    status, page = scheduler.get("/jobs")
    assert status == 200
    found: dict[str, Any] = {one["name"]: one for one in json.loads(page)["items"]}[job]
    return found


def test_from_an_owners_orders_to_the_cluster_and_back(
    api: Api, store: Store, env: dict[str, str], cluster: KubernetesApi
) -> None:
    with running("convex-scheduler", env) as scheduler:
        eventually(scheduler.ready, within=30, what="ready")
        eventually(lambda: told(scheduler, "retention")["cron_job"], within=30, what="the cluster was seen")
        assert api.get("/jobs", role="owner").json()["kubernetes"]["reachable"]

        assert api.post("/jobs/retention/suspend", role="owner").status_code == 200
        eventually(lambda: cluster.get("cronjobs", RETENTION)["spec"].get("suspend"), within=20, what="suspended")
        eventually(lambda: scheduler.metric('scheduled_job_suspended{job="retention"}') == 1, within=20)
        assert scheduler.metric('scheduled_job_suspended{job="partitions"}') == 0
        assert run_job(env | {"DATABASE_OWNER_URL": store.owner_url}, "retention")[1].endswith("runs it")
        api.post("/jobs/retention/resume", role="owner")
        eventually(lambda: not cluster.get("cronjobs", RETENTION)["spec"]["suspend"], within=20, what="resumed")

        asked = api.post("/jobs/retention/run", role="owner").json()
        (job,) = eventually(lambda: cluster.names("jobs"), within=20, what="a Job for the run")
        code, line = ran(command_of(cluster, job), env | {"DATABASE_OWNER_URL": store.owner_url})
        assert (code, line.partition(" {")[0]) == (0, f"retention {asked['run_id']} completed")
        assert ran(command_of(cluster, job), env | {"DATABASE_OWNER_URL": store.owner_url})[0] == 0, (
            "a second pod of it"
        )
        cluster.end(job)

        def over() -> Any:
            found = api.get("/jobs/retention", token=token_of(api.workspace_id, "owner", "owner", operator=True)).json()
            return (
                found if found["cron_job"]["jobs"] and found["cron_job"]["jobs"][0]["status"] == "completed" else None
            )

        shown = eventually(over, within=20, what="the cluster's word of it")
        (run,) = shown["runs"]
        assert (run["id"], run["status"], run["kubernetes_job"]) == (asked["run_id"], "completed", job)
        assert (shown["runs_completed"], shown["cron_job"]["jobs"][0]["run_id"]) == (1, asked["run_id"])

        # A scheduler that is killed between making a Job and writing that down makes it again, and is told so.
        asked = api.post("/jobs/job-cleanup/run", role="owner").json()
        eventually(lambda: len(cluster.names("jobs")) == 2, within=20, what="a second Job")
        assert scheduler.stop() == 0
    with psycopg.connect(store.owner_url) as owner:
        owner.execute("UPDATE job_runs SET kubernetes_job = NULL WHERE status = 'pending'")
    with running("convex-scheduler", env):
        eventually(lambda: cluster.count("get", "jobs"), within=30, what="it finds the Job that there is")
    assert len(cluster.names("jobs")) == 2
    assert cluster.refused == [], "it asks for nothing that the chart's Role does not allow"
    assert cluster.unused() == [], "and the Role allows nothing that it does not ask for"


def test_an_api_that_is_away_holds_nobody_up_and_is_found_again(
    api: Api, env: dict[str, str], cluster: KubernetesApi
) -> None:
    cluster.stop()
    with running("convex-scheduler", env) as scheduler:
        eventually(scheduler.ready, within=30, what="ready without the cluster")
        eventually(lambda: scheduler.metric("kubernetes_reachable") == 0, within=20)
        assert not api.get("/jobs", role="owner").json()["kubernetes"]["reachable"]
        run = api.post("/jobs/job-cleanup/run", role="owner").json()
        api.post("/jobs/retention/suspend", role="owner")

        def done() -> Any:
            (found,) = api.get("/jobs/job-cleanup", role="owner").json()["runs"]
            return found if found["status"] == "completed" else None

        assert eventually(done, within=40, what="the scheduler does it itself")["id"] == run["run_id"]
        cluster.start()
        eventually(lambda: cluster.get("cronjobs", RETENTION)["spec"].get("suspend"), within=60, what="suspended then")
        eventually(lambda: scheduler.metric("kubernetes_reachable") == 1, within=20)
        assert scheduler.stop() == 0
