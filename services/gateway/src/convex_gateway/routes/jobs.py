"""Jobs: the installation's timetable, and runs beside it.

Jobs are the installation's, not a workspace's: admins of any workspace see how they stand, owners may ask for a run,
and what a run says of itself is for operators alone.
"""

from __future__ import annotations

import datetime as dt
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.contracts import JobDue
from convex_common.domain.role import Role
from convex_common.errors import Conflict, NotFound
from convex_common.job_standing import ON_ITS_TIMETABLE, sight_now
from convex_common.job_status import statuses
from convex_common.postgres import job_standings
from convex_common.postgres import jobs as rows
from convex_common.timetable import HINTS, TIMETABLE, ScheduledJob, Timetable, rfc3339
from convex_common.tracing import new_traceparent
from convex_gateway.operations import Authorized, Call, Resource
from convex_gateway.shapes.jobs import Job, JobAsked, JobPage, JobWithRuns

resource = Resource("jobs")


@resource.operation("GET", "/jobs", role=Role.ADMIN, answer=JobPage)
async def list_jobs(call: Authorized) -> object:
    """List the scheduled jobs: when each is due, and what became of its runs."""
    async with call.transaction() as connection:
        figures = await rows.figures(connection)
        standings = await job_standings.standings(connection)
        sight = await job_standings.sight(connection)
    operator, now = call.principal.operator, _now()
    shown = statuses(TIMETABLE, figures, standings, now)
    return {
        "items": [status.as_answer(now, with_error=operator) for status in shown],
        "next_cursor": None,
        "kubernetes": sight and sight_now(sight, now).as_answer(with_error=operator),
    }


@resource.operation("GET", "/jobs/{name}", role=Role.ADMIN, answer=JobWithRuns)
async def get_job(call: Authorized, name: str) -> object:
    """Get a job with its newest runs."""
    job = Timetable((_found(name),))
    async with call.transaction() as connection:
        figures = await rows.figures(connection)
        standings = await job_standings.standings(connection)
        runs = await rows.last_runs(connection, name)
    operator, now = call.principal.operator, _now()
    (status,) = statuses(job, figures, standings, now)
    shown = [run if operator else run.without_insides() for run in runs]
    return {**status.as_answer(now, with_error=operator), "runs": shown}


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


@resource.operation("POST", "/jobs/{name}/suspend", role=Role.OWNER, answer=Job)
async def suspend_job(call: Authorized, name: str) -> object:
    """Take a job off its timetable, until somebody resumes it; runs by hand go on.

    The order holds from its answer on, also while the cluster cannot be told, and outlives an upgrade of the chart.
    """
    _found(name)
    async with call.transaction() as connection:
        if await job_standings.suspend(connection, name, by=call.principal.user_id):
            await call.audit(connection, "job.suspended", f"job:{name}")
        return await _status(call, connection, name)


@resource.operation("POST", "/jobs/{name}/resume", role=Role.OWNER, answer=Job, errors=(409,))
async def resume_job(call: Authorized, name: str) -> object:
    """Put a job on its timetable again, whoever took it off; only what the chart's values say stays theirs.

    In a cluster `pending_order` says that its CronJob is still to be told.
    """
    _found(name)
    async with call.transaction() as connection:
        standing = (await job_standings.standings(connection)).get(name, ON_ITS_TIMETABLE)
        if standing.may_be_resumed:
            await job_standings.resume(connection, name, by=call.principal.user_id)
            await call.audit(connection, "job.resumed", f"job:{name}")
        elif standing.suspension is not None:
            raise Conflict(
                f"{name} is suspended by the chart's values", cure=f"set jobs.{name}.suspend to false and upgrade"
            )
        return await _status(call, connection, name)


async def _status(call: Call, connection: AsyncConnection, name: str) -> object:
    figures = await rows.figures(connection)
    standings = await job_standings.standings(connection)
    now = _now()
    (status,) = statuses(Timetable((_found(name),)), figures, standings, now)
    return status.as_answer(now, with_error=call.principal.operator)


def _found(name: str) -> ScheduledJob:
    try:
        return TIMETABLE.job(name)
    except NotFound:
        raise NotFound("there is no such job") from None


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
