"""What the log in PostgreSQL knows of workspaces' feeds. The source of every gap's filling and of older replays."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from convex_common import ids
from convex_common.errors import Invalid
from convex_common.feed import event_frame
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.tracing import wanted
from convex_gateway.live.entry import Entry, Trace

log = logging.getLogger(__name__)

_SLACK_SECONDS: Final = 3600
"""Ids of the log's rows are made shortly before their offsets: a look back by time takes in some more."""

_COLUMNS: Final = (
    'SELECT id, "offset", framework_id, event, data, traceparent FROM alert_log'
    " WHERE workspace_id = current_workspace()"
)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a workspace's feed stands in PostgreSQL."""

    workspace_id: UUID
    epoch: UUID
    offset: int


class History:
    """Reads rows by offset. Frames are put together as the processors do, so that a replayed one is the live one."""

    def __init__(
        self, database: AsyncDatabase, *, term_seconds: float = 86_400, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._term = term_seconds
        self._clock = clock

    async def positions(self, workspace_ids: Collection[UUID]) -> list[Position]:
        """The positions of many workspaces by one call. StoreUnavailable."""
        statement = text("SELECT workspace_id, epoch, last_offset FROM feed_positions(CAST(:workspaces AS uuid[]))")
        async with self._database.transaction() as connection:
            rows = await connection.execute(statement, {"workspaces": [str(w) for w in workspace_ids]})
            return [Position(*row) for row in rows]

    async def between(self, workspace_id: UUID, after: int, upto: int) -> list[Entry]:
        """The entries with `after` < offset ≤ `upto` that are left of the term, in order. StoreUnavailable."""
        return await self._entries(
            workspace_id,
            ' AND "offset" > :after AND "offset" <= :upto AND id >= :oldest ORDER BY "offset"',
            {"after": after, "upto": upto},
        )

    async def of_framework(
        self, workspace_id: UUID, framework_id: UUID, after: int, upto: int, limit: int
    ) -> list[Entry]:
        """The same of one framework, `limit` at most. StoreUnavailable."""
        return await self._entries(
            workspace_id,
            ' AND "offset" > :after AND "offset" <= :upto AND id >= :oldest AND framework_id = :framework'
            ' ORDER BY "offset" LIMIT :limit',
            {"after": after, "upto": upto, "framework": framework_id, "limit": limit},
        )

    async def count_of_framework(
        self, workspace_id: UUID, framework_id: UUID, after: int, upto: int, limit: int
    ) -> int:
        """How many these are, counted up to `limit`. StoreUnavailable."""
        statement = text(
            "SELECT count(*) FROM (SELECT FROM alert_log WHERE workspace_id = current_workspace()"
            ' AND "offset" > :after AND "offset" <= :upto AND id >= :oldest AND framework_id = :framework'
            " LIMIT :limit) AS found"
        )
        oldest = self._id_before(self._term + _SLACK_SECONDS)
        parameters = {"after": after, "upto": upto, "framework": framework_id, "limit": limit, "oldest": oldest}
        async with self._database.transaction(workspace_id) as connection:
            return int((await connection.execute(statement, parameters)).scalar_one())

    async def is_kept(self, workspace_id: UUID, offset: int) -> bool:
        """Whether an offset's row is there and within the term; then all after it are. StoreUnavailable."""
        statement = text(
            'SELECT 1 FROM alert_log WHERE workspace_id = current_workspace() AND "offset" = :offset AND id >= :oldest'
        )
        async with self._database.transaction(workspace_id) as connection:
            found = await connection.execute(statement, {"offset": offset, "oldest": self._id_before(self._term)})
            return found.first() is not None

    def within_term(self, entry: Entry) -> bool:
        """Whether an entry is young enough to be replayed."""
        return entry.at >= self._clock() - self._term

    async def _entries(self, workspace_id: UUID, where: str, parameters: dict[str, Any]) -> list[Entry]:
        parameters["oldest"] = self._id_before(self._term + _SLACK_SECONDS)
        async with self._database.transaction(workspace_id) as connection:
            rows = (await connection.execute(text(_COLUMNS + where), parameters)).all()
        return list(_assembled(workspace_id, rows))

    def _id_before(self, seconds: float) -> UUID:
        return ids.floor(int((self._clock() - seconds) * 1000))


def _assembled(workspace_id: UUID, rows: Iterable[Any]) -> Iterable[Entry]:
    for row_id, offset, framework_id, event, data, traceparent in rows:
        try:
            frame = event_frame(event, offset, bytes(data))
        except Invalid as error:
            log.error("alert log: offset %d has no frame: %s", offset, error, extra={"workspace_id": str(workspace_id)})
            continue
        trace = Trace(traceparent, None) if traceparent and wanted(traceparent) else None
        yield Entry(offset, framework_id, frame, ids.milliseconds(row_id) / 1000, trace)
