"""What the cache asks PostgreSQL for."""

from __future__ import annotations

import uuid

from convex_common.postgres import positions
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.redis.cache.positions import Load, Position


def in_database(database: AsyncDatabase) -> Load:
    """Where a workspace stands, read in a transaction of its own."""

    async def position(workspace_id: uuid.UUID) -> Position:
        async with database.transaction(workspace_id) as connection:
            epoch, offset, versions = await positions.position(connection, workspace_id)
        return Position(epoch, offset, versions)

    return position
