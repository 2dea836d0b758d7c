"""Gathers accepted events and commits them in batches: what arrives during one commit is the next one's batch."""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import psycopg
from opentelemetry.trace import SpanKind

from convex_common.contracts import EVENTS_ACCEPTED, Contract, EventsAccepted
from convex_common.errors import StoreUnavailable
from convex_common.ids import Ids
from convex_common.postgres.database import RETRY_AFTER, Limits
from convex_common.stores import UNWATCHED, Watch
from convex_common.tracing import exporting, span_within, wanted
from convex_gateway.ingest.connection import (
    AnsweredBefore,
    ConnectionLost,
    InboxConnection,
    InboxRow,
    KeyedAnswer,
)
from convex_gateway.ingest.turns import Kept, Submission, Turns

log = logging.getLogger(__name__)

_FIRST_RETRY: Final = 0.05
_LAST_RETRY: Final = 1.0
_INSERT: Final = {"db.system.name": "postgresql", "db.operation.name": "INSERT", "db.collection.name": "inbox"}


class Hints(Protocol):
    """Tells the processors that there is something to do; at best effort, at once."""

    def hint(
        self, contract: Contract[EventsAccepted], payload: EventsAccepted, traceparent: str | None = None
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of a workspace, and of all, may wait for its commit, and how much goes into one; payload bytes.

    Where more than one workspace waits, batches are smaller: nobody waits for a long commit of another's.
    """

    waiting_rows: int = 50_000
    waiting_bytes: int = 64 * 1024 * 1024
    full_workspaces: int = 3
    batch_rows: int = 5_000
    shared_batch_rows: int = 1_000
    batch_bytes: int = 8 * 1024 * 1024


class InboxWriter:
    """Returns to its callers after the commit, never before.

    One commit is under way at a time, on a connection of its own, so that ids are visible in their order. Without a
    server callers are refused at once; it comes back by itself. Belongs to the event loop that starts it.
    """

    def __init__(
        self,
        url: str,
        ids: Ids,
        hints: Hints,
        *,
        limits: Limits | None = None,
        bounds: Bounds | None = None,
        watch: Watch = UNWATCHED,
    ) -> None:
        self._watch = watch
        self._url = url
        self._ids = ids
        self._hints = hints
        self._limits = limits or Limits()
        self._bounds = bounds or Bounds()
        self._waiting = Turns()
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
            log.warning("stopped with %d events that could not be committed", self._waiting.rows)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._fail_waiting(self._refusal)

    async def write(
        self, workspace_id: uuid.UUID, rows: Sequence[InboxRow], answer: Kept | None = None
    ) -> list[uuid.UUID]:
        """The rows' ids, once they are committed; all of them or none. An `answer` is stored with them.

        AnsweredBefore where there is one under its key already; the rows are not written then.

        StoreUnavailable where they are not, with one exception: a connection lost between COMMIT and its answer. What
        became of such rows nobody can tell, so they count as refused, and the sender's repetition may double them.
        """
        if not rows:
            return []
        submission = Submission(workspace_id, rows, answer)
        self._admit(submission)
        with span_within("INSERT inbox", kind=SpanKind.CLIENT, attributes={**_INSERT, "convex.events": len(rows)}):
            return await submission.ids

    def _admit(self, submission: Submission) -> None:
        if self._refusal is not None:
            raise StoreUnavailable(self._refusal.message, self._refusal.retry_after)
        own, bounds = self._waiting.of(submission.workspace_id), self._bounds
        rows, size = len(submission.rows), submission.size
        if self._waiting and (
            (own.submissions and (own.rows + rows > bounds.waiting_rows or own.size + size > bounds.waiting_bytes))
            or self._waiting.rows + rows > bounds.waiting_rows * bounds.full_workspaces
            or self._waiting.size + size > bounds.waiting_bytes * bounds.full_workspaces
        ):
            raise StoreUnavailable("More events wait for their commit than may wait", RETRY_AFTER)
        self._waiting.add(submission)
        self._idle.clear()
        self._work.set()

    async def _run(self) -> None:
        while True:
            connection = await self._connected()
            try:
                await self._serve(connection)
            except ConnectionLost as error:
                self._watch.failed()
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
                self._watch.failed()
                self._refuse(error)
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads reconnects, guards nothing
                pause = min(_LAST_RETRY, pause * 2)
            else:
                self._watch.answered()
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

    def _taken(self) -> list[Submission]:
        bounds = self._bounds
        rows = bounds.shared_batch_rows if self._waiting.is_shared else bounds.batch_rows
        return self._waiting.take(rows, bounds.batch_bytes)

    async def _commit(self, connection: InboxConnection, batch: Sequence[Submission]) -> None:
        """A transaction for each workspace, the smallest first, so that it waits for no large one.

        Those not begun when the connection is lost go first on the next one.
        """
        of_workspace: dict[uuid.UUID, list[Submission]] = {}
        for submission in batch:
            of_workspace.setdefault(submission.workspace_id, []).append(submission)
        try:
            for workspace_id, submissions in sorted(of_workspace.items(), key=_rows_of):
                await self._insert(connection, workspace_id, submissions)
            self._watch.answered()
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
        self, connection: InboxConnection, workspace_id: uuid.UUID, submissions: Sequence[Submission]
    ) -> None:
        rows = [row for submission in submissions for row in submission.rows]
        ids = self._ids.take(len(rows))
        try:
            late = await self._written(connection, workspace_id, ids, rows, submissions)
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
            if submission in late:
                submission.failed(AnsweredBefore("a request with this key was answered before"))
            else:
                submission.committed(ids[first : first + len(submission.rows)])
            first += len(submission.rows)
        hint = EventsAccepted(shards=tuple(sorted({row.shard for row in rows})))
        self._hints.hint(EVENTS_ACCEPTED, hint, _traced(rows))

    async def _written(
        self,
        connection: InboxConnection,
        workspace_id: uuid.UUID,
        ids: Sequence[uuid.UUID],
        rows: Sequence[InboxRow],
        submissions: Sequence[Submission],
    ) -> Collection[Submission]:
        """Those of the submissions whose key had its answer already."""
        keyed: list[Submission] = []
        answers: list[KeyedAnswer] = []
        first = 0
        for submission in submissions:
            count = len(submission.rows)
            if (answer := submission.answer) is not None:
                sealed = answer.sealed(ids[first : first + count])
                answers.append(KeyedAnswer(answer.scope, answer.request, sealed, first, count))
                keyed.append(submission)
            first += count
        if not answers:
            await connection.insert(workspace_id, ids, rows)
            return ()
        late = await connection.insert_once(workspace_id, ids, rows, answers)
        return [keyed[place] for place in late]

    def _put_back(self, submissions: Sequence[Submission]) -> None:
        self._waiting.put_back(submissions)
        self._work.set()

    def _refuse(self, error: StoreUnavailable) -> None:
        if not self._closing:
            self._refusal = error
        self._fail_waiting(error)

    def _fail_waiting(self, error: StoreUnavailable) -> None:
        for submission in self._waiting.drain():
            submission.failed(error)
        self._idle.set()


def _traced(rows: Sequence[InboxRow]) -> str | None:
    """The trace that the rows' hint belongs to: the first one that is kept."""
    if not exporting():
        return None
    return next((row.traceparent for row in rows if wanted(row.traceparent)), None)


def _rows_of(of_workspace: tuple[uuid.UUID, Sequence[Submission]]) -> int:
    return sum(len(submission.rows) for submission in of_workspace[1])
