"""Jobs: the installation's timetable, and runs beside it.

Jobs are the installation's, not a workspace's: admins of any workspace see how they stand, owners may ask for a run,
and what a run says of itself is for operators alone.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import partial

from convex_common.contracts import JobDue
from convex_common.domain.role import Role
from convex_common.errors import Conflict, NotFound
from convex_common.job_status import statuses
from convex_common.postgres import jobs as rows
from convex_common.timetable import HINTS, TIMETABLE, ScheduledJob, Timetable, rfc3339
from convex_common.tracing import new_traceparent
from convex_gateway.operations import Authorized, Resource
from convex_gateway.shapes.jobs import JobAsked, JobPage, JobWithRuns

resource = Resource("jobs")


@resource.operation("GET", "/jobs", role=Role.ADMIN, answer=JobPage)
async def list_jobs(call: Authorized) -> object:
    """List the scheduled jobs: when each is due, and what became of its runs."""
    async with call.transaction() as connection:
        figures = await rows.figures(connection)
    shown = statuses(TIMETABLE, figures, _now())
    return {
        "items": [status.as_answer(with_error=call.principal.operator) for status in shown],
        "next_cursor": None,
    }


@resource.operation("GET", "/jobs/{name}", role=Role.ADMIN, answer=JobWithRuns)
async def get_job(call: Authorized, name: str) -> object:
    """Get a job with its newest runs."""
    job = Timetable((_found(name),))
    async with call.transaction() as connection:
        figures = await rows.figures(connection)
        runs = await rows.last_runs(connection, name)
    operator = call.principal.operator
    (status,) = statuses(job, figures, _now())
    shown = [run if operator else replace(run, last_error=None, detail=None) for run in runs]
    return {**status.as_answer(with_error=operator), "runs": shown}


@resource.operation("POST", "/jobs/{name}/run", role=Role.OWNER, answer=JobAsked, status=202, errors=(409,))
async def run_job(call: Authorized, name: str) -> object:
    """Ask for a run now, beside the timetable; refused while one is waiting or under way."""
    job = _found(name)
    traceparent = new_traceparent()
    run_id = call.gateway.ids.new()
    async with call.transaction() as connection:
        slot = await rows.request_now(
            connection, run_id, name, job.queue, requested_by=call.principal.user_id, traceparent=traceparent
        )
        if slot is None:
            raise Conflict(f"a run of {name} is waiting or under way", cure="ask again once it is over")
        if (contract := HINTS.get(job.queue)) is not None:
            due = JobDue(name, rfc3339(slot))
            call.after_commit(partial(call.gateway.sender.send, contract, due, traceparent))
        await call.audit(connection, "job.run", f"job:{name}", run_id=str(run_id), slot=rfc3339(slot))
    return {"run_id": run_id, "name": name, "slot": slot, "status": "pending"}


def _found(name: str) -> ScheduledJob:
    try:
        return TIMETABLE.job(name)
    except NotFound:
        raise NotFound("there is no such job") from None


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
