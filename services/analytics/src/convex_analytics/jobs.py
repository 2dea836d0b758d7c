"""Which jobs this service does, by queue and name."""

from __future__ import annotations

from collections.abc import Mapping

from convex_common.contracts import JOB_DUE, PREDICTION_DUE
from convex_common.postgres.job_runner import FindJob, Job, JobRefused


def analytics(jobs: Mapping[str, Job]) -> FindJob:
    """The jobs of the queue `analytics`."""
    return _found_in(JOB_DUE.queue, jobs)


def prediction(jobs: Mapping[str, Job]) -> FindJob:
    """The jobs of the queue `prediction`."""
    return _found_in(PREDICTION_DUE.queue, jobs)


def _found_in(queue: str, jobs: Mapping[str, Job]) -> FindJob:
    def find(name: str) -> Job:
        job = jobs.get(name)
        if job is None:
            known = ", ".join(sorted(jobs))
            raise JobRefused(f"{name}: there is no such {queue} job", cure=f"known are {known}")
        return job

    return find
