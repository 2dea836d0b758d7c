"""The chart's CronJobs are the product's timetable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from convex_common.timetable import TIMETABLE, ScheduledJob
from convex_scheduler.arguments import parser
from tests.chart.examples import defaults, every_example, rendered
from tests.support.manifests import Manifest, render

JOBS: Mapping[str, ScheduledJob] = {job.name: job for job in TIMETABLE}


def cron_jobs(manifests: Any) -> dict[str, Manifest]:
    return {job.labels["convex-alerts.io/job"]: job for job in manifests.all("CronJob")}


def test_the_chart_lists_every_job() -> None:
    assert defaults()["jobs"].keys() == JOBS.keys()


@every_example
def test_each_runs_when_the_product_says(example: str) -> None:
    found = cron_jobs(rendered(example))
    assert {name: job.spec["schedule"] for name, job in found.items()} == {
        name: job.schedule for name, job in JOBS.items()
    }


@pytest.mark.parametrize("name", JOBS)
def test_each_runs_as_the_product_runs_it(name: str) -> None:
    job = cron_jobs(rendered("minimal"))[name]
    container = job.template.main
    assert container.argv[0] == "convex-scheduler"
    words = parser().parse_args(container.argv[1:])
    assert (words.command, words.job) == ("run", name)
    assert words.wait is not JOBS[name].is_local, "a job of another service is waited for, and only that"
    assert 0 < words.timeout < job.spec["jobTemplate"]["spec"]["activeDeadlineSeconds"]
    assert any(entry["name"] == "DATABASE_OWNER_URL" for entry in container.body["env"]) is JOBS[name].needs_owner


def test_the_pods_of_a_job_tell_which_it_is() -> None:
    for name, job in cron_jobs(rendered("minimal")).items():
        assert job.spec["jobTemplate"]["metadata"]["labels"]["convex-alerts.io/job"] == name
        assert job.template.labels["convex-alerts.io/job"] == name


def test_without_cron_jobs_the_scheduler_keeps_the_timetable() -> None:
    loops = {}
    for enabled in (True, False):
        manifests = render(values={"cronJobs": {"enabled": enabled}})
        pod = manifests.one("Deployment", component="scheduler").template
        environment = manifests.environment(pod, pod.main)
        loops[enabled] = (
            environment["SCHEDULER_LOOP"],
            "KUBERNETES_JOBS" in environment,
            len(manifests.all("CronJob")),
        )
        assert bool(manifests.all("Role")) is enabled
    assert loops == {True: ("false", True, len(JOBS)), False: ("true", False, 0)}


def test_one_job_can_be_left_out_and_another_suspended() -> None:
    found = cron_jobs(render(values={"jobs": {"predictions": {"enabled": False}, "retention": {"suspend": True}}}))
    assert found.keys() == JOBS.keys() - {"predictions"}
    assert {name for name, job in found.items() if job.spec.get("suspend")} == {"retention"}
