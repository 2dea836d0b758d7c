"""Where a workspace stands: its feed's offset, and the versions of what is computed from the rest."""

from __future__ import annotations

import uuid
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.errors import NotFound
from convex_common.postgres.database import Connection
from convex_common.postgres.statements import for_gateway

_POSITION: Final = text("""SELECT f.epoch, f.next_offset - 1, w.config_version,
    coalesce((SELECT v.version FROM cache_versions v WHERE v.workspace_id = w.id AND v.class = 'statistics'), 0),
    coalesce((SELECT v.version FROM cache_versions v WHERE v.workspace_id = w.id AND v.class = 'patterns'), 0)
FROM workspace_feed f JOIN workspaces w ON w.id = f.workspace_id WHERE f.workspace_id = :workspace""")

_RAISE: Final = """INSERT INTO cache_versions AS v (workspace_id, class) VALUES (%(workspace)s, %(class)s)
ON CONFLICT (workspace_id, class) DO UPDATE SET version = v.version + 1 RETURNING v.version"""
_RAISE_BY_GATEWAY: Final = for_gateway(_RAISE)


async def position(connection: AsyncConnection, workspace_id: uuid.UUID) -> tuple[uuid.UUID, int, dict[str, int]]:
    """The feed's epoch and last offset, and the version by class. NotFound for a workspace that is gone."""
    row = (await connection.execute(_POSITION, {"workspace": workspace_id})).one_or_none()
    if row is None:
        raise NotFound("there is no such workspace")
    return row[0], row[1], {"rules": row[2], "statistics": row[3], "patterns": row[4]}


def raise_version(connection: Connection, workspace_id: uuid.UUID, kind: str) -> int:
    """What is computed of `statistics` or `patterns` changes with this transaction: what was cached ends with it."""
    row = connection.execute(_RAISE, {"workspace": workspace_id, "class": kind}).fetchone()
    assert row is not None
    return int(row[0])


async def raise_by_gateway(connection: AsyncConnection, workspace_id: uuid.UUID, kind: str) -> int:
    """The same, where people change it."""
    found = await connection.execute(_RAISE_BY_GATEWAY, {"workspace": workspace_id, "class": kind})
    return int(found.scalar_one())
