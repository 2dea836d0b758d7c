"""Which jobs this service does, by queue and name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from convex_common.contracts import JOB_DUE, PREDICTION_DUE
from convex_common.postgres.job_runner import FindJob, Job, JobRefused, JobSkipped, Lease

PATTERNS: Final = "pattern-detection"


def analytics(jobs: Mapping[str, Job]) -> FindJob:
    """The jobs of the queue `analytics`."""
    return _found_in(JOB_DUE.queue, {**jobs, PATTERNS: _not_yet("pattern detection is not available yet")})


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


def _not_yet(reason: str) -> Job:
    """On the timetable, so that its slots are known and kept; until it comes its runs are skipped, and say so."""

    def job(lease: Lease) -> Mapping[str, Any]:
        raise JobSkipped(reason)

    return job
