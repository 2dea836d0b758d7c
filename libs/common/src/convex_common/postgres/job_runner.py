"""Runs jobs that are due: claim, work, finish. The same for scheduled jobs of every service."""

# ruff: noqa: N818 - exceptions that read as states, like those in errors.py

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, Protocol

from convex_common.errors import ConvexError, LeaseLost, StoreUnavailable
from convex_common.postgres import job_runs
from convex_common.postgres.database import Connection, Database
from convex_common.postgres.job_runs import Claim
from convex_common.tracing import current_span, failed, span_from

log = logging.getLogger(__name__)

FIRST_RETRY: Final = 5.0
"""Seconds until a failed run is tried again; six times as long after each further failure."""


class JobRefused(ConvexError):
    """A job can never succeed as it was asked for: not retried."""


class JobSkipped(ConvexError):
    """There is nothing to do here, and that is no failure: the run is over and says why."""


class Interrupted(ConvexError):
    """The process is stopping: the run is given back and done by another."""


class Lease:
    """What a job knows of its run, and how it keeps it: each slice's transaction ends with `hold`."""

    def __init__(self, claim: Claim, lease: dt.timedelta, stopping: threading.Event) -> None:
        self._claim = claim
        self._lease = lease
        self._stopping = stopping

    @property
    def job(self) -> str:
        """The job's name."""
        return self._claim.job

    @property
    def slot(self) -> dt.datetime:
        """The time that the run is for, in UTC."""
        return self._claim.slot.astimezone(dt.UTC)

    def hold(self, connection: Connection, progress: Mapping[str, Any] | None = None) -> None:
        """Call as the last statement of a transaction. Raises LeaseLost or Interrupted, which roll it back.

        `progress` is shown as the run's detail until it is over.
        """
        if self._stopping.is_set():
            raise Interrupted(f"{self.job} was interrupted")
        job_runs.hold(connection, self._claim, self._lease, progress)

    @contextmanager
    def kept(self, database: Database) -> Iterator[None]:
        """Renew it from another thread for as long as something is computed here that has no transaction.

        Where it is lost, the next `hold` says so; a database that is away for less than the lease is no loss.
        """
        over = threading.Event()

        def renew() -> None:
            while not over.wait(self._lease.total_seconds() / 3):
                try:
                    with database.transaction() as connection:
                        self.hold(connection)
                except StoreUnavailable:
                    continue
                except (LeaseLost, Interrupted):
                    return

        thread = threading.Thread(target=renew, name=f"lease-{self.job}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


Job = Callable[[Lease], Mapping[str, Any]]
"""Does a run and gives back its detail. Safe to be done again: a lease may run out in the middle."""

FindJob = Callable[[str], Job]
"""The job of a name; JobRefused where there is none."""


class Timings(Protocol):
    """Is told of every claimed run, once it is over or given back."""

    def __call__(self, queue: str, waited: float, took: float) -> None:
        """Seconds from when it was due to the claim, and from there on."""


class JobRunner:
    """Does the due runs of one queue, one at a time and thread; several threads and processes may share a queue.

    With `only`, runs of other jobs are left to those who can do them; with `beside`, see `job_runs.claim`, what a
    cluster's Jobs do is left to the Jobs.
    """

    def __init__(
        self,
        database: Database,
        queue: str,
        find_job: FindJob,
        lease_seconds: float,
        *,
        only: Sequence[str] | None = None,
        timings: Timings | None = None,
        beside: dt.timedelta | None = None,
    ) -> None:
        self._database = database
        self._queue = queue
        self._find_job = find_job
        self.only = only
        self._timings = timings
        self._beside = beside
        self._lease = dt.timedelta(seconds=lease_seconds)
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Claim no more; what is under way is given back after its slice."""
        self._stopping.set()

    def drain(self) -> int:
        """Run until nothing is due; how many runs that were. Raises StoreUnavailable."""
        done = 0
        while self.run_next():
            done += 1
        return done

    def run_next(self, only: uuid.UUID | None = None) -> bool:
        """Claim a due run and do it; False where there was none. Only claiming raises StoreUnavailable."""
        if self._stopping.is_set():
            return False
        with self._database.transaction() as connection:
            claim = job_runs.claim(connection, self._queue, self._lease, only=only, jobs=self.only, beside=self._beside)
        if claim is None:
            return False
        began = time.perf_counter()
        with span_from(claim.traceparent, f"job {claim.job}"):
            self._run(claim)
        if self._timings is not None:
            self._timings(claim.queue, claim.waited, time.perf_counter() - began)
        return True

    def _run(self, claim: Claim) -> None:
        told = {"job": claim.job, "slot": claim.slot.isoformat()}
        try:
            detail = self._find_job(claim.job)(Lease(claim, self._lease, self._stopping))
            self._settle(lambda connection: job_runs.finish(connection, claim, detail))
            log.info("job completed", extra={**told, "detail": dict(detail)})
        except LeaseLost:
            log.warning("a job's lease ran out; it is left to the other worker", extra=told)
        except Interrupted:
            log.info("job interrupted and given back", extra=told)
            self._settle_if_possible(lambda connection: job_runs.release(connection, claim))
        except JobSkipped as error:
            log.info("job skipped: %s", error, extra=told)
            reason = str(error)
            self._settle_if_possible(lambda connection: job_runs.skip(connection, claim, reason))
        except JobRefused as error:
            failed(current_span(), error)
            log.error("job failed: %s", error, extra=told)
            refusal = str(error)
            self._settle_if_possible(lambda connection: job_runs.refuse(connection, claim, refusal))
        except Exception as error:  # whatever it was is recorded with the run, and the thread goes on
            failed(current_span(), error)
            log.exception("job failed, to be tried again", extra=told)
            failure = f"{type(error).__name__}: {error}"
            again = retry_in(claim.attempts)
            self._settle_if_possible(lambda connection: job_runs.fail(connection, claim, failure, again))

    def _settle_if_possible(self, settle: Callable[[Connection], None]) -> None:
        """Where it is not, the lease runs out, which counts as a failure."""
        with suppress(StoreUnavailable, LeaseLost):
            self._settle(settle)

    def _settle(self, settle: Callable[[Connection], None]) -> None:
        with self._database.transaction() as connection:
            settle(connection)


def retry_in(failures: int) -> dt.timedelta:
    """How long a run rests after it has failed once more, having failed `failures` times before."""
    return dt.timedelta(seconds=FIRST_RETRY * 6**failures)
