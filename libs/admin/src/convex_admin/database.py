"""The installation's database, by its owner's URL."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.domain.audit import Act
from convex_common.errors import NotFound, SettingsError
from convex_common.postgres import audit
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.postgres.bootstrap import OPERATOR
from convex_common.postgres.tables import workspaces

_CURE = "set DATABASE_OWNER_URL=postgresql://OWNER:PASSWORD@HOST:5432/NAME, the URL of the role that owns the tables"


def owner_url() -> str:
    """SettingsError where it is missing or none."""
    url = os.environ.get("DATABASE_OWNER_URL", "")
    if not url:
        raise SettingsError("DATABASE_OWNER_URL: is missing", cure=_CURE)
    if url.partition("://")[0] not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise SettingsError("DATABASE_OWNER_URL: is no address that starts with postgresql://", cure=_CURE)
    return url


@dataclass(frozen=True, slots=True)
class Workspace:
    """One workspace within a transaction."""

    id: uuid.UUID
    connection: AsyncConnection

    async def audit(self, action: str, subject: str, **detail: object) -> None:
        """Record what is done here, last in the transaction."""
        await audit.record(self.connection, self.id, Act(OPERATOR, action, subject, detail))


@asynccontextmanager
async def in_workspace(url: str, slug: str) -> AsyncIterator[Workspace]:
    """A transaction for the workspace of this short name. NotFound, StoreUnavailable."""
    database = AsyncDatabase(url, "convex-admin", size=1)
    try:
        async with database.transaction() as connection:
            workspace_id = (
                await connection.execute(select(workspaces.c.id).where(workspaces.c.slug == slug))
            ).scalar_one_or_none()
        if workspace_id is None:
            raise NotFound(f"there is no workspace {slug!r}", cure="see `convex admin workspace list`")
        async with database.transaction(workspace_id) as connection:
            yield Workspace(workspace_id, connection)
    finally:
        await database.close()
