"""Asking for a slot of a job: on record first, then a hint to whoever runs it."""

# ruff: noqa: N818 - an exception that reads as a state, like those in errors.py

from __future__ import annotations

import datetime as dt
from typing import Protocol

from convex_common.contracts import Contract, JobDue
from convex_common.errors import ConvexError
from convex_common.ids import Ids
from convex_common.job_standing import Order
from convex_common.postgres import job_runs, job_standings
from convex_common.postgres.database import Database
from convex_common.timetable import HINTS, ScheduledJob, rfc3339
from convex_common.tracing import new_traceparent


class Suspended(ConvexError):
    """A person has suspended the job: what its timetable asks for is not done."""

    def __init__(self, job: str, order: Order) -> None:
        super().__init__(f"{job} is suspended by {order.by} since {rfc3339(order.at)}")


class Sends(Protocol):
    """What is needed of a sender."""

    def send(self, contract: Contract[JobDue], payload: JobDue, traceparent: str | None = None) -> bool: ...


class Asker:
    """Puts slots on record. Asking twice is asking once."""

    def __init__(self, database: Database, sender: Sends, ids: Ids) -> None:
        self._database = database
        self._sender = sender
        self._ids = ids

    def ask(
        self, job: ScheduledJob, slot: dt.datetime, *, unless_later: bool = False, unless_suspended: bool = False
    ) -> bool:
        """Whether it was new. With `unless_later` nothing is asked where a later slot of the job is on record.

        The hint comes after the commit and may be lost: the pollers find what is on record. Raises StoreUnavailable,
        and with `unless_suspended` Suspended.
        """
        traceparent = new_traceparent()
        with self._database.transaction() as connection:
            if unless_suspended and (order := job_standings.suspended_by(connection, job.name)) is not None:
                raise Suspended(job.name, order)
            if unless_later:
                latest = job_runs.latest_slot(connection, job.name)
                if latest is not None and latest > slot:
                    return False
            new = job_runs.request(connection, self._ids.new(), job.name, slot, job.queue, traceparent)
        contract = HINTS.get(job.queue)
        if new and contract is not None:
            self._sender.send(contract, JobDue(job.name, rfc3339(slot)), traceparent)
        return new
