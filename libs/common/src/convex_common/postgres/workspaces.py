"""A workspace's own row."""

from __future__ import annotations

import uuid

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.postgres.tables import workspaces


async def raise_version(connection: AsyncConnection, workspace_id: uuid.UUID) -> int:
    """Tells the processors to reload, at the commit; until then no other transaction changes the configuration."""
    raised = update(workspaces).where(workspaces.c.id == workspace_id)
    raised = raised.values(config_version=workspaces.c.config_version + 1)
    version: int = (await connection.execute(raised.returning(workspaces.c.config_version))).scalar_one()
    return version


async def names_of(connection: AsyncConnection, workspace_id: uuid.UUID) -> tuple[str, str]:
    """Its slug and its name."""
    query = select(workspaces.c.slug, workspaces.c.name).where(workspaces.c.id == workspace_id)
    slug, name = (await connection.execute(query)).one()
    return slug, name
