"""A workspace's own row."""

from __future__ import annotations

import uuid

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.postgres.tables import workspaces


async def raise_version(connection: AsyncConnection, workspace_id: uuid.UUID) -> None:
    """Tells the processors to reload, at the commit; until then no other transaction changes the configuration."""
    await connection.execute(
        update(workspaces).where(workspaces.c.id == workspace_id).values(config_version=workspaces.c.config_version + 1)
    )


async def names_of(connection: AsyncConnection, workspace_id: uuid.UUID) -> tuple[str, str]:
    """Its slug and its name."""
    query = select(workspaces.c.slug, workspaces.c.name).where(workspaces.c.id == workspace_id)
    slug, name = (await connection.execute(query)).one()
    return slug, name
