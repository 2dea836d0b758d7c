"""What is read of the cluster's objects, and the Job that does a run."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from convex_scheduler.kubernetes import objects
from convex_scheduler.kubernetes.errors import ClusterAway, ClusterRefused
from convex_scheduler.kubernetes.line import LONGEST_PAUSE, Line
from convex_scheduler.kubernetes.objects import JobState, job_for, job_name
from tests.support.kubernetes import KUBE_VERSION, a_cron_job
from tests.support.schemas import problems

RUN = uuid.UUID("0198c0de-0000-7000-8000-00c0ffee0001")
METADATA = {"uid": "u-1", "creationTimestamp": "2026-03-10T12:00:00Z"}


def cron_job(job: str = "job-cleanup", **more: Any) -> objects.CronJob:
    manifest = a_cron_job(job, **more)
    manifest["metadata"] |= METADATA
    return objects.cron_job(json.dumps(manifest).encode())


def test_a_runs_job_is_the_cronjobs_told_which_run_it_is_for() -> None:
    made = job_for(cron_job(), RUN)
    assert made["metadata"]["name"] == "alerts-job-cleanup-800000c0ffee0001"
    assert made["metadata"]["annotations"] == {"cronjob.kubernetes.io/instantiate": "manual"}
    assert made["metadata"]["labels"]["convex-alerts.io/run-id"] == str(RUN)
    (owner,) = made["metadata"]["ownerReferences"]
    assert owner == {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "name": "alerts-job-cleanup",
        "uid": "u-1",
        "controller": True,
    }
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["convex-scheduler", "run", "job-cleanup", "--run-id", str(RUN)]
    assert made["spec"]["backoffLimit"] == 2
    assert problems(made, KUBE_VERSION) == []


def test_what_this_code_does_not_know_of_a_template_is_kept_and_the_template_is_left_alone() -> None:
    manifest = a_cron_job("job-cleanup")
    manifest["metadata"] |= METADATA
    template = manifest["spec"]["jobTemplate"]
    template["spec"]["ofNextYear"] = {"a": 1}
    template["metadata"]["annotations"] = {"kept": "yes"}
    container = template["spec"]["template"]["spec"]["containers"][0]
    container["command"], container["args"] = ["/opt/convex/bin/convex-scheduler"], ["run", "job-cleanup"]
    origin = objects.cron_job(json.dumps(manifest).encode())
    for _ in range(2):
        made = job_for(origin, RUN)
        assert made["spec"]["ofNextYear"] == {"a": 1}
        assert made["metadata"]["annotations"]["kept"] == "yes"
        assert made["spec"]["template"]["spec"]["containers"][0]["args"] == ["run", "job-cleanup", "--run-id", str(RUN)]


def test_a_template_that_runs_no_job_of_ours_is_refused() -> None:
    with pytest.raises(ClusterRefused, match="no container of the CronJob alerts-job-cleanup calls convex-scheduler"):
        job_for(cron_job(command=["sh", "-c", "convex-scheduler run job-cleanup"]), RUN)
    with pytest.raises(ClusterRefused, match="calls convex-scheduler run job-cleanup"):
        job_for(cron_job(command=["convex-scheduler", "run", "retention"]), RUN)


@pytest.mark.parametrize(
    ("cron_job_name", "replays", "name"),
    [
        ("alerts-retention", 0, "alerts-retention-800000c0ffee0001"),
        ("alerts-retention", 2, "alerts-retention-800000c0ffee0001-2"),
        ("a" * 52, 0, "a" * 46 + "-800000c0ffee0001"),
        ("a" * 45 + "-tail", 0, "a" * 45 + "-800000c0ffee0001"),
    ],
)
def test_a_jobs_name_is_made_of_its_runs_id_and_no_longer_than_a_label(
    cron_job_name: str, replays: int, name: str
) -> None:
    assert job_name(cron_job_name, RUN, replays) == name
    assert len(name) <= 63


def test_the_charts_values_are_told_from_kubectl() -> None:
    manifest = a_cron_job("retention", suspend=True)
    manifest["metadata"] |= METADATA
    for marks, by_values in ((None, False), ({"convex-alerts.io/suspended-by": "values"}, True)):
        manifest["metadata"]["annotations"] = marks
        found = objects.cron_job(json.dumps(manifest).encode())
        assert (found.suspended, found.by_values) == (True, by_values)
    manifest["spec"]["suspend"] = False
    found = objects.cron_job(json.dumps(manifest).encode())
    assert (found.suspended, found.by_values) == (False, False), "an annotation that was left behind says nothing"


@pytest.mark.parametrize(
    ("status", "state", "reason"),
    [
        ({}, JobState.ACTIVE, None),
        ({"active": 1, "conditions": None}, JobState.ACTIVE, None),
        ({"conditions": [{"type": "Suspended", "status": "True"}]}, JobState.ACTIVE, None),
        ({"conditions": [{"type": "Failed", "status": "False"}]}, JobState.ACTIVE, None),
        ({"conditions": [{"type": "Complete", "status": "True"}]}, JobState.COMPLETED, None),
        (
            {"conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "too long"}]},
            JobState.FAILED,
            "DeadlineExceeded: too long",
        ),
    ],
)
def test_what_has_become_of_a_job(status: dict[str, Any], state: JobState, reason: str | None) -> None:
    found = objects.job(json.dumps({"metadata": {"name": "a", **METADATA}, "status": status}).encode())
    assert (found.state, found.reason, found.run_id) == (state, reason, None)


def test_the_line_is_closed_longer_after_each_failure_and_as_long_as_asked() -> None:
    line = Line()
    assert line.is_open(0.0)
    now, pauses = 0.0, []
    for _ in range(8):
        line.failed(ClusterAway("away"), now)
        pause = next(pause for pause in (1, 2, 4, 8, 16, 30) if line.is_open(now + pause))
        assert not line.is_open(now + pause - 0.01)
        pauses.append(pause)
        now += pause
    assert pauses == [1, 2, 4, 8, 16, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]
    line.answered()
    assert line.is_open(now)
    line.failed(ClusterAway("busy", 429, retry_after=42), now)
    assert not line.is_open(now + 41.9)
    assert line.is_open(now + 42)
