"""Takes hints and polls: every job that was asked for is run, with Redis or without."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from datetime import datetime

from convex_common.contracts import Contract, JobDue
from convex_common.errors import StoreUnavailable
from convex_common.ids import Ids
from convex_common.postgres import job_runs
from convex_common.postgres.database import Database
from convex_common.postgres.job_runner import JobRunner
from convex_common.tracing import new_traceparent

log = logging.getLogger(__name__)


class HintHandler:
    """Records what a message asks for, unless it is on record already, and runs what is due."""

    def __init__(self, contract: Contract[JobDue], database: Database, runner: JobRunner, ids: Ids) -> None:
        self._queue = contract.queue
        self._database = database
        self._runner = runner
        self._ids = ids

    def __call__(self, due: JobDue) -> None:
        """Never raises for a store that is away: the poller finds what was recorded."""
        slot = datetime.fromisoformat(due.slot)
        try:
            with self._database.transaction() as connection:
                job_runs.request(connection, self._ids.new(), due.job, slot, self._queue, new_traceparent())
            self._runner.drain()
        except StoreUnavailable as error:
            log.warning("a job waits: %s", error, extra={"job": due.job, "slot": due.slot})


class Poller:
    """A thread per queue: each second it runs what is due and nobody has claimed."""

    def __init__(self, runners: Mapping[str, JobRunner], every: float = 1.0) -> None:
        self._every = every
        self._stop = threading.Event()
        self._healthy = {queue: threading.Event() for queue in runners}
        self._threads = [
            threading.Thread(target=self._run, args=(queue, runner), name=f"poller-{queue}", daemon=True)
            for queue, runner in runners.items()
        ]

    def healthy(self) -> bool:
        """Whether every queue could be looked at the last time."""
        return all(event.is_set() for event in self._healthy.values())

    def start(self) -> None:
        """Start polling."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> None:
        """Stop, and wait `timeout` seconds at most for what is under way."""
        self._stop.set()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self, queue: str, runner: JobRunner) -> None:
        healthy, told = self._healthy[queue], False
        while not self._stop.is_set():
            try:
                runner.drain()
                healthy.set()
                told = False
            except Exception as error:  # the thread must outlive whatever it was; it is told once
                healthy.clear()
                if not told:
                    log.warning("jobs wait: %s", error, exc_info=not isinstance(error, StoreUnavailable))
                told = True
            self._stop.wait(self._every)
