"""A workspace's own row."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.errors import NotFound
from convex_common.postgres.tables import workspaces

_NAMES: Final = ("id", "slug", "name", "timezone", "created_at")
_COLUMNS: Final = [workspaces.c[name] for name in _NAMES]


@dataclass(frozen=True, slots=True)
class Workspace:
    """A tenant; `timezone` is a name of the IANA database, by whose clock its days are told."""

    id: uuid.UUID
    slug: str
    name: str
    timezone: str
    created_at: dt.datetime


async def get(connection: AsyncConnection, workspace_id: uuid.UUID, *, to_change: bool = False) -> Workspace:
    """NotFound for a workspace that is gone. One about to change is kept from other changes until the commit."""
    query = select(*_COLUMNS).where(workspaces.c.id == workspace_id)
    row = (await connection.execute(query.with_for_update() if to_change else query)).one_or_none()
    if row is None:
        raise NotFound("there is no such workspace")
    return Workspace(*row)


async def change(connection: AsyncConnection, workspace_id: uuid.UUID, values: Mapping[str, Any]) -> Workspace:
    """The workspace with these columns (`name`, `timezone`) set."""
    changed = update(workspaces).where(workspaces.c.id == workspace_id).values(**values).returning(*_COLUMNS)
    return Workspace(*(await connection.execute(changed)).one())


async def raise_version(connection: AsyncConnection, workspace_id: uuid.UUID) -> int:
    """Tells the processors to reload, at the commit; until then no other transaction changes the configuration."""
    raised = update(workspaces).where(workspaces.c.id == workspace_id)
    raised = raised.values(config_version=workspaces.c.config_version + 1)
    version: int = (await connection.execute(raised.returning(workspaces.c.config_version))).scalar_one()
    return version
