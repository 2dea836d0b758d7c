"""A workspace's own row."""

from __future__ import annotations

import uuid

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.postgres.tables import workspaces


async def raise_version(connection: AsyncConnection, workspace_id: uuid.UUID) -> None:
    """Tells the processors to reload, at the commit; until then no other transaction changes the configuration."""
    await connection.execute(
        update(workspaces).where(workspaces.c.id == workspace_id).values(config_version=workspaces.c.config_version + 1)
    )
