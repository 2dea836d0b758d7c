"""CronJobs and Jobs as the cluster tells them, and the Job that does a run. Pure: parsed here, trusted inside."""

from __future__ import annotations

import copy
import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec

from convex_scheduler.kubernetes.errors import ClusterRefused

JOB_LABEL: Final = "convex-alerts.io/job"
RUN_LABEL: Final = "convex-alerts.io/run-id"
VALUES_ANNOTATION: Final = "convex-alerts.io/suspended-by"
"""On a CronJob that the chart's values suspend, with the value `values`."""

MANUAL: Final = {"cronjob.kubernetes.io/instantiate": "manual"}
"""As `kubectl create job --from` marks what it makes."""

NAME_LENGTH: Final = 63
PROGRAM: Final = "convex-scheduler"


class JobState(StrEnum):
    """What has become of a Job."""

    ACTIVE = "active"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CronJob:
    """One CronJob; `template` is its Jobs', as the cluster has it, with whatever this code does not know of."""

    name: str
    uid: str
    job: str
    schedule: str
    time_zone: str | None
    suspended: bool
    by_values: bool
    last_schedule: dt.datetime | None
    last_success: dt.datetime | None
    template: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One Job. `reason` is why it failed."""

    name: str
    job: str
    run_id: uuid.UUID | None
    state: JobState
    reason: str | None
    created_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None


class _Struct(msgspec.Struct, rename="camel"):
    """Takes what it knows, and leaves the rest of an object alone."""


class _Metadata(_Struct):
    name: str
    uid: str
    creation_timestamp: dt.datetime
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class _CronJobSpec(_Struct):
    schedule: str
    job_template: dict[str, Any]
    suspend: bool | None = None
    time_zone: str | None = None


class _CronJobStatus(_Struct):
    last_schedule_time: dt.datetime | None = None
    last_successful_time: dt.datetime | None = None


class _CronJob(_Struct):
    metadata: _Metadata
    spec: _CronJobSpec
    status: _CronJobStatus | None = None


class _Condition(_Struct):
    type: str
    status: str
    reason: str | None = None
    message: str | None = None
    last_transition_time: dt.datetime | None = None


class _JobStatus(_Struct):
    conditions: list[_Condition] | None = None
    start_time: dt.datetime | None = None
    completion_time: dt.datetime | None = None


class _Job(_Struct):
    metadata: _Metadata
    status: _JobStatus | None = None


class _ListMetadata(_Struct):
    continue_: str | None = msgspec.field(default=None, name="continue")


class _CronJobs(_Struct):
    items: list[_CronJob]
    metadata: _ListMetadata


class _Jobs(_Struct):
    items: list[_Job]
    metadata: _ListMetadata


_CRON_JOB: Final = msgspec.json.Decoder(_CronJob)
_CRON_JOBS: Final = msgspec.json.Decoder(_CronJobs)
_JOB: Final = msgspec.json.Decoder(_Job)
_JOBS: Final = msgspec.json.Decoder(_Jobs)


def cron_job(body: bytes) -> CronJob:
    """One CronJob. msgspec.ValidationError where it is none, here and below."""
    return _cron_job(_CRON_JOB.decode(body))


def cron_jobs(body: bytes) -> tuple[list[CronJob], str | None]:
    """A page of a list, and where the next one goes on."""
    page = _CRON_JOBS.decode(body)
    return [_cron_job(found) for found in page.items], page.metadata.continue_ or None


def job(body: bytes) -> Job:
    """One Job."""
    return _job(_JOB.decode(body))


def jobs(body: bytes) -> tuple[list[Job], str | None]:
    """A page of a list, and where the next one goes on."""
    page = _JOBS.decode(body)
    return [_job(found) for found in page.items], page.metadata.continue_ or None


def job_name(cron_job_name: str, run_id: uuid.UUID, replays: int) -> str:
    """Always the same for a run, so that it gets one Job however often it is asked for; a replayed run gets a new one.

    As long as a pod's label may be, and ending in the random half of the run's id.
    """
    end = f"-{run_id.hex[-16:]}" + (f"-{replays}" if replays else "")
    return cron_job_name[: NAME_LENGTH - len(end)].rstrip("-.") + end


def job_for(origin: CronJob, run_id: uuid.UUID, replays: int = 0) -> dict[str, Any]:
    """The manifest of the Job that does a run: what the CronJob would make, told which run it is for.

    It belongs to the CronJob, whose history limits clean it up. ClusterRefused where the template runs no job of ours.
    """
    template = copy.deepcopy(dict(origin.template))
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    _tell(spec, origin, run_id)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(origin.name, run_id, replays),
            "labels": {**(metadata.get("labels") or {}), JOB_LABEL: origin.job, RUN_LABEL: str(run_id)},
            "annotations": {**(metadata.get("annotations") or {}), **MANUAL},
            # Without blockOwnerDeletion, which would ask for the right to change the CronJob's finalizers.
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "CronJob",
                    "name": origin.name,
                    "uid": origin.uid,
                    "controller": True,
                }
            ],
        },
        "spec": spec,
    }


def _tell(spec: dict[str, Any], origin: CronJob, run_id: uuid.UUID) -> None:
    """Add `--run-id` to the container that calls `convex-scheduler run`."""
    for container in spec["template"]["spec"]["containers"]:
        words: Sequence[str] = [*(container.get("command") or ()), *(container.get("args") or ())]
        if any(word.rpartition("/")[2] == PROGRAM for word in words[:1]) and list(words[1:3]) == ["run", origin.job]:
            last = "args" if container.get("args") else "command"
            container[last] = [*container[last], "--run-id", str(run_id)]
            return
    raise ClusterRefused(f"no container of the CronJob {origin.name} calls {PROGRAM} run {origin.job}")


def _cron_job(found: _CronJob) -> CronJob:
    status = found.status or _CronJobStatus()
    suspended = bool(found.spec.suspend)
    return CronJob(
        name=found.metadata.name,
        uid=found.metadata.uid,
        job=(found.metadata.labels or {}).get(JOB_LABEL, ""),
        schedule=found.spec.schedule,
        time_zone=found.spec.time_zone,
        suspended=suspended,
        by_values=suspended and (found.metadata.annotations or {}).get(VALUES_ANNOTATION) == "values",
        last_schedule=status.last_schedule_time,
        last_success=status.last_successful_time,
        template=found.spec.job_template,
    )


def _job(found: _Job) -> Job:
    status = found.status or _JobStatus()
    labels = found.metadata.labels or {}
    ended = {one.type: one for one in status.conditions or () if one.status == "True"}
    failed = ended.get("Failed")
    state = JobState.FAILED if failed else JobState.COMPLETED if "Complete" in ended else JobState.ACTIVE
    return Job(
        name=found.metadata.name,
        job=labels.get(JOB_LABEL, ""),
        run_id=_uuid(labels.get(RUN_LABEL)),
        state=state,
        reason=None if failed is None else ": ".join(filter(None, (failed.reason, failed.message))),
        created_at=found.metadata.creation_timestamp,
        started_at=status.start_time,
        finished_at=status.completion_time or (failed.last_transition_time if failed else None),
    )


def _uuid(text: str | None) -> uuid.UUID | None:
    try:
        return None if text is None else uuid.UUID(text)
    except ValueError:
        return None
