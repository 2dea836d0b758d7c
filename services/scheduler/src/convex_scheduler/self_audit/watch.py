"""The self-audit's thread: once a minute one of the schedulers makes a run, puts it on record and tells who waits."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable

from convex_common.domain.self_audit import Result, Stage
from convex_common.errors import StoreUnavailable
from convex_common.ids import Ids
from convex_common.metrics import Metrics
from convex_common.postgres import self_audits
from convex_common.postgres.database import Database

log = logging.getLogger(__name__)


class SelfAudit:
    """Without PostgreSQL nobody can tell whose turn it is: that is a failure of every scheduler's."""

    def __init__(
        self,
        database: Database,
        walk: Callable[[str], Result],
        tell: Callable[[], object],
        metrics: Metrics,
        ids: Ids,
        every: float,
        within: float,
    ) -> None:
        self._database = database
        self._walk = walk
        self._tell = tell
        self._metrics = metrics
        self._ids = ids
        self._every = dt.timedelta(seconds=every)
        self._within = dt.timedelta(seconds=within)
        metrics.self_audit_last_success_timestamp_seconds.set(0)
        for outcome in ("passed", "failed"):
            metrics.self_audit_runs.labels(outcome)
        for stage in Stage:
            metrics.self_audit_seconds.labels(stage.value)

    def run(self, stopping: threading.Event) -> None:
        """Until stopping."""
        wait = 0.0
        while not stopping.wait(wait):
            try:
                wait = self.step()
            except StoreUnavailable as error:
                self._count(Result({}, Stage.PREPARED, str(error)))
                wait = self._every.total_seconds()
            except Exception as error:  # the thread must outlive whatever it was
                log.exception("the self-audit could not be made")
                self._count(Result({}, Stage.PREPARED, type(error).__name__))
                wait = self._every.total_seconds()

    def step(self) -> float:
        """A run where it is due, and seconds until the next may be. StoreUnavailable."""
        run = self._ids.new()
        with self._database.transaction() as connection:
            left = self_audits.claim(connection, run, self._every, within=self._within)
        if left is None:
            result = self._walk(str(run))
            self._count(result)
            with self._database.transaction() as connection:
                self_audits.save(connection, run, result)
            if result.passed:
                self._tell()
        with self._database.transaction() as connection:
            standing = self_audits.read_now(connection)
            left = self_audits.claim_in(connection, self._every)
        if standing is not None and standing.last_passed_at is not None:
            self._metrics.self_audit_last_success_timestamp_seconds.set(standing.last_passed_at.timestamp())
        return max(0.05, left.total_seconds())

    def _count(self, result: Result) -> None:
        self._metrics.self_audit_runs.labels("passed" if result.passed else "failed").inc()
        for stage, seconds in result.seconds.items():
            self._metrics.self_audit_seconds.labels(stage.value).observe(seconds)
        if result.passed:
            took = {stage.value: round(seconds, 3) for stage, seconds in result.seconds.items()}
            log.info("the self-audit passed", extra={"seconds": took})
        else:
            log.warning("the self-audit failed", extra={"stage": result.failed_at, "reason": result.reason})
