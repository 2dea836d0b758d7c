"""The one connection that the inbox is written on."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any, Final, LiteralString, NamedTuple, Self

import msgspec
import psycopg
from psycopg import errors

from convex_common.errors import ConvexError, StoreUnavailable
from convex_common.postgres.database import RETRY_AFTER, Limits, unavailable
from convex_common.postgres.line import hung_up
from convex_common.postgres.urls import plain
from convex_gateway.ingest import arrays

_INGEST: Final = "SELECT ingest(%b, %b, %b, %b, %b, %b, %b, %b)"
_INGEST_ONCE: Final = "SELECT ingest_once(%b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b)"


class InboxRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event to accept: its key, where it goes to, and its payload as `convex_common.events` encodes it."""

    kind: str
    key: bytes
    shard: int
    lane: int
    payload: bytes
    traceparent: str


class KeyedAnswer(NamedTuple):
    """The answer to a request with an Idempotency-Key, and how many of the rows, from which on, are that request's."""

    scope: bytes
    request: bytes
    sealed: bytes
    first_row: int
    rows: int


class AnsweredBefore(ConvexError):  # noqa: N818 - reads as a state, as those of `convex_common.errors`
    """A request with this key was answered already; these rows were left out."""


class ConnectionLost(StoreUnavailable):
    """The connection is of no more use. A statement that was under way may have committed or not."""


class InboxConnection:
    """Writes one workspace's rows in one round trip, which is one transaction. Not for concurrent use."""

    def __init__(self, connection: psycopg.AsyncConnection[tuple[Any, ...]], patience: float) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._patience = patience
        self._abandoned: set[asyncio.Task[Any]] = set()

    @classmethod
    async def open(cls, url: str, limits: Limits) -> Self:
        """Connect. StoreUnavailable where there is no server."""
        try:
            connection = await psycopg.AsyncConnection.connect(
                plain(url), autocommit=True, prepare_threshold=0, **limits.parameters("gateway inbox")
            )
        except psycopg.OperationalError as error:
            raise unavailable(error) from error
        arrays.register(connection.adapters)
        return cls(connection, patience=limits.statement + 1.0)

    @property
    def usable(self) -> bool:
        """False once the server has hung up on an idle connection, as it does at a restart: nothing is lost by that."""
        return not self._connection.closed and not hung_up(self._connection.fileno())

    @property
    def answers(self) -> bool:
        """False once a statement was given up on: the server neither answered nor hung up."""
        return not self._abandoned

    async def insert(self, workspace_id: uuid.UUID, ids: Sequence[uuid.UUID], rows: Sequence[InboxRow]) -> None:
        """Commit the rows under these ids.

        ConnectionLost; StoreUnavailable where the server refused and the connection is still good; another
        psycopg.Error where the rows themselves cannot be stored. Only the first leaves open what became of them.
        """
        await self._execute(_INGEST, _columns(workspace_id, ids, rows))

    async def insert_once(
        self,
        workspace_id: uuid.UUID,
        ids: Sequence[uuid.UUID],
        rows: Sequence[InboxRow],
        answers: Sequence[KeyedAnswer],
    ) -> frozenset[int]:
        """Commit the rows and the answers that belong to some of them. As `insert`.

        The places of answers that were there before: theirs, and their rows, are left out.
        """
        answer_of = [0] * len(rows)
        for number, answer in enumerate(answers, start=1):
            answer_of[answer.first_row : answer.first_row + answer.rows] = [number] * answer.rows
        await self._execute(
            _INGEST_ONCE,
            (
                *_columns(workspace_id, ids, rows),
                arrays.smallints(answer_of),
                arrays.byteas([answer.scope for answer in answers]),
                arrays.byteas([answer.request for answer in answers]),
                arrays.byteas([answer.sealed for answer in answers]),
            ),
        )
        row = await self._cursor.fetchone()
        assert row is not None
        return frozenset(number - 1 for number in row[0])

    async def _execute(self, statement: LiteralString, parameters: Sequence[object]) -> None:
        try:
            await self._within_patience(self._cursor.execute(statement, parameters))
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if self._connection.closed:
                raise ConnectionLost(unavailable(error).message, RETRY_AFTER) from error
            raise unavailable(error) from error
        except errors.ReadOnlySqlTransaction as error:  # a standby by now: the next connection finds the primary
            raise ConnectionLost(unavailable(error).message, RETRY_AFTER) from error

    async def close(self) -> None:
        """Hang up; what the server does not answer is left to end by itself."""
        if self.answers:
            await self._connection.close()

    async def _within_patience(self, statement: Any) -> None:
        """The server ends a statement in time; a server that is frozen, or away without a word, does not.

        Cancelling such a statement takes seconds by itself, so that goes on behind the writer's back.
        """
        task = asyncio.ensure_future(statement)
        try:
            done, _ = await asyncio.wait({task}, timeout=self._patience)
        except asyncio.CancelledError:
            self._abandon(task)
            raise
        if not done:
            self._abandon(task)
            raise ConnectionLost(f"PostgreSQL is unavailable: no answer within {self._patience:g} s", RETRY_AFTER)
        task.result()

    def _abandon(self, task: asyncio.Task[Any]) -> None:
        task.cancel()
        self._abandoned.add(task)
        task.add_done_callback(self._hang_up)

    def _hang_up(self, task: asyncio.Task[Any]) -> None:
        self._abandoned.discard(task)
        if not task.cancelled():
            task.exception()
        self._connection.pgconn.finish()


def _columns(workspace_id: uuid.UUID, ids: Sequence[uuid.UUID], rows: Sequence[InboxRow]) -> tuple[object, ...]:
    return (
        workspace_id,
        arrays.uuids(ids),
        arrays.smallints([row.shard for row in rows]),
        arrays.smallints([row.lane for row in rows]),
        arrays.texts([row.kind for row in rows]),
        arrays.byteas([row.key for row in rows]),
        arrays.byteas([row.payload for row in rows]),
        arrays.texts([row.traceparent for row in rows]),
    )
