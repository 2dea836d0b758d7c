"""Gathers accepted events and commits them in batches: what arrives during one commit is the next one's batch."""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import psycopg

from convex_common.contracts import EVENTS_ACCEPTED, Contract, EventsAccepted
from convex_common.errors import StoreUnavailable
from convex_common.ids import Ids
from convex_common.postgres.database import RETRY_AFTER, Limits
from convex_gateway.ingest.connection import ConnectionLost, InboxConnection, InboxRow

log = logging.getLogger(__name__)

_FIRST_RETRY: Final = 0.05
_LAST_RETRY: Final = 1.0


class Hints(Protocol):
    """Tells the processors that there is something to do; at best effort, at once."""

    def hint(self, contract: Contract[EventsAccepted], payload: EventsAccepted) -> None: ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait for its commit, and how much goes into one; payload bytes."""

    waiting_rows: int = 50_000
    waiting_bytes: int = 64 * 1024 * 1024
    batch_rows: int = 5_000
    batch_bytes: int = 8 * 1024 * 1024


class _Submission:
    """One caller's rows, and the promise of their ids."""

    __slots__ = ("ids", "rows", "size", "workspace_id")

    def __init__(self, workspace_id: uuid.UUID, rows: Sequence[InboxRow], size: int) -> None:
        self.workspace_id = workspace_id
        self.rows = rows
        self.size = size
        self.ids: asyncio.Future[list[uuid.UUID]] = asyncio.get_running_loop().create_future()

    def committed(self, ids: list[uuid.UUID]) -> None:
        if not self.ids.done():
            self.ids.set_result(ids)

    def failed(self, error: Exception) -> None:
        """Each waiter gets an error of its own, since a raised one carries its traceback."""
        if self.ids.done():
            return
        if isinstance(error, StoreUnavailable):
            error = StoreUnavailable(error.message, error.retry_after)
        self.ids.set_exception(error)


class InboxWriter:
    """Returns to its callers after the commit, never before.

    One commit is under way at a time, on a connection of its own, so that ids are visible in their order. Without a
    server callers are refused at once; it comes back by itself. Belongs to the event loop that starts it.
    """

    def __init__(
        self, url: str, ids: Ids, hints: Hints, *, limits: Limits | None = None, bounds: Bounds | None = None
    ) -> None:
        self._url = url
        self._ids = ids
        self._hints = hints
        self._limits = limits or Limits()
        self._bounds = bounds or Bounds()
        self._waiting: deque[_Submission] = deque()
        self._waiting_rows = 0
        self._waiting_bytes = 0
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._refusal: StoreUnavailable | None = StoreUnavailable("The gateway is starting", RETRY_AFTER)
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start connecting and writing; does not wait and does not fail."""
        self._refusal = None
        self._idle.set()
        self._task = asyncio.create_task(self._run())

    async def stop(self, within: float = 5.0) -> None:
        """Refuse what comes, commit what waits, for `within` seconds at most, and hang up."""
        self._closing = True
        self._refusal = StoreUnavailable("The gateway is stopping", RETRY_AFTER)
        if self._task is None:
            return
        try:
            async with asyncio.timeout(within):
                await self._idle.wait()
        except TimeoutError:
            log.warning("stopped with %d events that could not be committed", self._waiting_rows)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._fail_waiting(self._refusal)

    async def write(self, workspace_id: uuid.UUID, rows: Sequence[InboxRow]) -> list[uuid.UUID]:
        """The rows' ids, once they are committed; all of them or none.

        StoreUnavailable where they are not, with one exception: a connection lost between COMMIT and its answer. What
        became of such rows nobody can tell, so they count as refused, and the sender's repetition may double them.
        """
        if not rows:
            return []
        submission = _Submission(workspace_id, rows, sum(len(row.payload) for row in rows))
        self._admit(submission)
        return await submission.ids

    def _admit(self, submission: _Submission) -> None:
        if self._refusal is not None:
            raise StoreUnavailable(self._refusal.message, self._refusal.retry_after)
        rows, size = self._waiting_rows + len(submission.rows), self._waiting_bytes + submission.size
        if self._waiting and (rows > self._bounds.waiting_rows or size > self._bounds.waiting_bytes):
            raise StoreUnavailable("More events wait for their commit than may wait", RETRY_AFTER)
        self._waiting.append(submission)
        self._waiting_rows, self._waiting_bytes = rows, size
        self._idle.clear()
        self._work.set()

    async def _run(self) -> None:
        while True:
            connection = await self._connected()
            try:
                await self._serve(connection)
            except ConnectionLost as error:
                log.warning("the inbox's connection is lost: %s", error)
            except Exception:
                log.exception("the inbox's writer failed and starts again")
            finally:
                await connection.close()

    async def _connected(self) -> InboxConnection:
        """A new connection. The first failure refuses all who wait, and those who come until there is one."""
        pause = _FIRST_RETRY
        while True:
            try:
                connection = await InboxConnection.open(self._url, self._limits)
            except StoreUnavailable as error:
                self._refuse(error)
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads reconnects, guards nothing
                pause = min(_LAST_RETRY, pause * 2)
            else:
                if not self._closing:
                    self._refusal = None
                return connection

    async def _serve(self, connection: InboxConnection) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while self._waiting:
                if not connection.usable:
                    self._work.set()
                    raise ConnectionLost("the server hung up while nothing was under way")
                await self._commit(connection, self._taken())
            self._idle.set()

    def _taken(self) -> list[_Submission]:
        batch: list[_Submission] = []
        rows = size = 0
        while self._waiting and rows < self._bounds.batch_rows and size < self._bounds.batch_bytes:
            submission = self._waiting.popleft()
            batch.append(submission)
            rows += len(submission.rows)
            size += submission.size
        self._waiting_rows -= rows
        self._waiting_bytes -= size
        return batch

    async def _commit(self, connection: InboxConnection, batch: Sequence[_Submission]) -> None:
        """A transaction for each workspace. Those not begun when the connection is lost go first on the next one."""
        of_workspace: dict[uuid.UUID, list[_Submission]] = {}
        for submission in batch:
            of_workspace.setdefault(submission.workspace_id, []).append(submission)
        try:
            for workspace_id, submissions in of_workspace.items():
                await self._insert(connection, workspace_id, submissions)
        except ConnectionLost as error:
            self._put_back([submission for submission in batch if not submission.ids.done()])
            if not connection.answers:
                self._refuse(error)
            raise
        except BaseException as error:
            for submission in batch:
                submission.failed(StoreUnavailable(f"The commit was given up: {error!r}", RETRY_AFTER))
            raise

    async def _insert(
        self, connection: InboxConnection, workspace_id: uuid.UUID, submissions: Sequence[_Submission]
    ) -> None:
        rows = [row for submission in submissions for row in submission.rows]
        ids = self._ids.take(len(rows))
        try:
            await connection.insert(workspace_id, ids, rows)
        except StoreUnavailable as error:
            for submission in submissions:
                submission.failed(error)
            if isinstance(error, ConnectionLost):
                raise
            log.warning("events refused: %s", error, extra={"workspace_id": workspace_id})
            return
        except psycopg.Error as error:
            if len(submissions) == 1:
                submissions[0].failed(error)
                return
            for submission in submissions:  # one caller's rows are at fault: the others' are not
                await self._insert(connection, workspace_id, [submission])
            return
        first = 0
        for submission in submissions:
            submission.committed(ids[first : first + len(submission.rows)])
            first += len(submission.rows)
        self._hints.hint(EVENTS_ACCEPTED, EventsAccepted(shards=tuple(sorted({row.shard for row in rows}))))

    def _put_back(self, submissions: Sequence[_Submission]) -> None:
        self._waiting.extendleft(reversed(submissions))
        self._waiting_rows += sum(len(submission.rows) for submission in submissions)
        self._waiting_bytes += sum(submission.size for submission in submissions)
        self._work.set()

    def _refuse(self, error: StoreUnavailable) -> None:
        if not self._closing:
            self._refusal = error
        self._fail_waiting(error)

    def _fail_waiting(self, error: StoreUnavailable) -> None:
        for submission in self._waiting:
            submission.failed(error)
        self._waiting.clear()
        self._waiting_rows = self._waiting_bytes = 0
        self._idle.set()
