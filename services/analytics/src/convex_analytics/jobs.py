"""Which jobs this service does, by queue and name."""

from __future__ import annotations

from collections.abc import Mapping

from convex_common.postgres.job_runner import FindJob, Job, JobRefused


def analytics(jobs: Mapping[str, Job]) -> FindJob:
    """The jobs of the queue `analytics`."""

    def find(name: str) -> Job:
        job = jobs.get(name)
        if job is None:
            known = ", ".join(sorted(jobs))
            raise JobRefused(f"{name}: there is no such analytics job", cure=f"known are {known}")
        return job

    return find


def prediction(name: str) -> Job:
    """The jobs of the queue `prediction`: none yet, and whoever asks is told so."""
    raise JobRefused(f"{name}: predictions are not available yet")
