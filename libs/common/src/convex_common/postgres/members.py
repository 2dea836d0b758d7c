"""Who belongs to a workspace."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.postgres.tables import members, workspaces


@dataclass(frozen=True, slots=True)
class Member:
    """A member, and the workspace's names."""

    name: str
    email: str | None
    workspace_slug: str
    workspace_name: str


async def role_of(connection: AsyncConnection, workspace_id: uuid.UUID, user_id: str) -> str | None:
    """A member's role; None for somebody who is none."""
    query = select(members.c.role).where(members.c.workspace_id == workspace_id, members.c.user_id == user_id)
    role: str | None = (await connection.execute(query)).scalar_one_or_none()
    return role


async def find(connection: AsyncConnection, workspace_id: uuid.UUID, user_id: str) -> Member | None:
    """A member, or None."""
    query = (
        select(members.c.name, members.c.email, workspaces.c.slug, workspaces.c.name)
        .join(workspaces, workspaces.c.id == members.c.workspace_id)
        .where(members.c.workspace_id == workspace_id, members.c.user_id == user_id)
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else Member(*row)


async def missing(connection: AsyncConnection, workspace_id: uuid.UUID, user_ids: Collection[str]) -> set[str]:
    """Those of the users who are no members."""
    query = select(members.c.user_id).where(members.c.workspace_id == workspace_id, members.c.user_id.in_(user_ids))
    return set(user_ids) - set((await connection.execute(query)).scalars())
