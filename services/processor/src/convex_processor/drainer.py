"""Drainers: claim and process until the inbox is empty. One at low load, more under backlog."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from convex_common.errors import LeaseLost, StoreUnavailable
from convex_common.postgres.database import Connection
from convex_processor import claims
from convex_processor.batches import BatchProcessor
from convex_processor.claims import Width

log = logging.getLogger(__name__)

FIRST_PAUSE, LAST_PAUSE = 0.1, 2.0
GATHER = 0.004
"""Seconds to wait for more where a claim was small but others came meanwhile: a batch costs as much as ten events."""
FEW, MANY = 10, 64


@dataclass(frozen=True)
class ClaimLimits:
    """A claim's rows, and its lease in seconds. Statements time out well before the lease does."""

    max_rows: int = 500
    lease_seconds: float = 15.0


class Drainer:
    """One connection and what runs on it; connects when needed and anew after a failure."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        processor: Callable[[Connection], BatchProcessor],
        limits: ClaimLimits,
    ) -> None:
        self._connect = connect
        self._processor = processor
        self._limits = limits
        self._connection: Connection | None = None
        self._batches: BatchProcessor | None = None
        self._width = Width(limits.max_rows)
        self._lost: tuple[int, tuple[int, ...]] | None = None

    def step(self) -> int:
        """Claim and process once; the number of events that the claim held.

        Raises StoreUnavailable where PostgreSQL failed; the claim is given back with the next connection.
        """
        try:
            connection, batches = self._ready()
            claim = claims.claim(
                connection,
                self._width.shards,
                self._limits.max_rows,
                self._limits.lease_seconds,
                backlog=self._width.backlog,
            )
            if claim is None:
                self._width.learn(0)
                return 0
            self._width.learn(len(claim.events))
            self._lost = (claim.token, claim.shards)
            try:
                batches.run(claim)
            except LeaseLost:
                log.warning("a lease ran out during the work; the events are left to others")
                claims.give_back(connection, claim.token, claim.shards)
            self._lost = None
            return len(claim.events)
        except psycopg.Error as error:
            self.close()
            raise StoreUnavailable(f"PostgreSQL failed: {str(error).splitlines()[:1]}", 1.0) from error

    def close(self) -> None:
        """Drop the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._batches = None

    def _ready(self) -> tuple[Connection, BatchProcessor]:
        if self._connection is None or self._batches is None or self._connection.closed:
            self._connection = self._connect()
            self._batches = self._processor(self._connection)
        if self._lost is not None:
            claims.give_back(self._connection, *self._lost)
            self._lost = None
        return self._connection, self._batches


class DrainerPool:
    """Lets a hint start a drainer, or tells one that is at work to look again."""

    def __init__(self, make: Callable[[], Drainer], size: int, full: int) -> None:
        self._free = [make() for _ in range(size)]
        self._all = tuple(self._free)
        self._full = full
        self._changed = threading.Condition(threading.RLock())
        self._dirty = 0
        self._backlog = False
        self._stopping = threading.Event()
        self.healthy = threading.Event()

    def drain(self) -> None:
        """Work until nothing is due. Returns at once where a drainer is at work that can take this along."""
        with self._changed:
            self._dirty += 1
            at_work = len(self._free) < len(self._all)
            if not self._free or (at_work and not self._backlog) or self._stopping.is_set():
                return
            drainer = self._free.pop()
        self._work(drainer)

    def stop(self, timeout: float) -> None:
        """Finish the batches under way, `timeout` seconds at most, and start no more."""
        self._stopping.set()
        with self._changed:
            self._changed.wait_for(lambda: len(self._free) == len(self._all), timeout)
            for drainer in self._free:
                drainer.close()

    def _work(self, drainer: Drainer) -> None:
        """Step until nothing is due; given back under the lock that hints look under, so that none falls between."""
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            seen = self._dirty
            try:
                rows = drainer.step()
            except Exception as error:  # whatever it was: the rows are still in the inbox, and the thread goes on
                self._tell(error)
                self._stopping.wait(pause)
                pause = min(pause * 2, LAST_PAUSE)
                continue
            self.healthy.set()
            pause = FIRST_PAUSE
            self._backlog = rows >= self._full
            if self._backlog:
                self._assist()
            if rows == 0:
                with self._changed:
                    if self._dirty == seen:
                        self._give(drainer)
                        return
            elif FEW <= rows < MANY:
                self._stopping.wait(GATHER)
        self._give(drainer)

    def _assist(self) -> None:
        """Under backlog every drainer is wanted, whether or not a hint comes."""
        with self._changed:
            if not self._free or self._stopping.is_set():
                return
            drainer = self._free.pop()
        threading.Thread(target=self._work, args=(drainer,), name="drainer", daemon=True).start()

    def _give(self, drainer: Drainer) -> None:
        with self._changed:
            self._free.append(drainer)
            self._changed.notify_all()

    def _tell(self, error: Exception) -> None:
        if isinstance(error, StoreUnavailable):
            if self.healthy.is_set():
                log.warning("processing waits: %s", error)
        else:
            log.exception("a batch failed in a way that was not foreseen; it is tried again")
        self.healthy.clear()
