"""Which frameworks exist, remembered for a minute: a thousand sockets that come back ask the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

from sqlalchemy import text

from convex_common.postgres.async_database import AsyncDatabase

_KEPT_SECONDS: Final = 60.0
_KEPT: Final = 10_000


class Frameworks:
    """Looks frameworks up in PostgreSQL; only what was found is remembered."""

    def __init__(self, database: AsyncDatabase, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._found: dict[tuple[UUID, UUID], float] = {}

    async def exists(self, workspace_id: UUID, framework_id: UUID) -> bool:
        """Whether the workspace has it. StoreUnavailable."""
        key = (workspace_id, framework_id)
        if self._found.get(key, 0.0) > self._clock():
            return True
        statement = text(
            "SELECT 1 FROM frameworks WHERE workspace_id = current_workspace() AND id = :id AND deleted_at IS NULL"
        )
        async with self._database.transaction(workspace_id) as connection:
            found = (await connection.execute(statement, {"id": framework_id})).first() is not None
        if found:
            if len(self._found) >= _KEPT:
                self._found.clear()
            self._found[key] = self._clock() + _KEPT_SECONDS
        return found
