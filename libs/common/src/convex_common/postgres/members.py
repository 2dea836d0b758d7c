"""Who belongs to a workspace."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.domain.role import Role
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.postgres.database import Connection
from convex_common.postgres.tables import members


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who belongs to a workspace."""

    user_id: str
    role: Role
    name: str
    email: str | None
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """A user's role, if any, and how many owners the workspace has besides them. Neither changes until the commit."""

    role: Role | None
    other_owners: int


_COLUMNS = tuple(members.c[name] for name in Member.__dataclass_fields__)


_ROLES_OF: Final = (
    "SELECT user_id, role FROM members WHERE workspace_id = %(workspace)s AND user_id = ANY(%(users)s::text[])"
)


async def roles_of(database: AsyncDatabase, workspace_id: uuid.UUID, user_ids: Collection[str]) -> dict[str, str]:
    """The roles of those of the users who are members."""
    return dict(await database.rows(workspace_id, _ROLES_OF, {"users": list(user_ids)}))


async def missing(connection: AsyncConnection, workspace_id: uuid.UUID, user_ids: Collection[str]) -> set[str]:
    """Those of the users who are no members."""
    query = select(members.c.user_id).where(members.c.workspace_id == workspace_id, members.c.user_id.in_(user_ids))
    return set(user_ids) - set((await connection.execute(query)).scalars())


def is_member(connection: Connection, workspace_id: uuid.UUID, user_id: str) -> bool:
    """Whether this user belongs to the workspace, until the transaction ends."""
    query = "SELECT 1 FROM members WHERE workspace_id = %s AND user_id = %s FOR KEY SHARE"
    return connection.execute(query, (workspace_id, user_id)).fetchone() is not None


async def find(connection: AsyncConnection, workspace_id: uuid.UUID, user_id: str) -> Member | None:
    """A member, or None."""
    return _one((await connection.execute(select(*_COLUMNS).where(*_is(workspace_id, user_id)))).one_or_none())


async def page(
    connection: AsyncConnection, workspace_id: uuid.UUID, *, after: str | None, count: int, text: str | None = None
) -> Sequence[Member]:
    """Up to `count` members after a user id, in the order of these; with a text, those whose id or name has it."""
    query = select(*_COLUMNS).where(members.c.workspace_id == workspace_id)
    if text:
        query = query.where(
            or_(*(column.icontains(text, autoescape=True) for column in (members.c.user_id, members.c.name)))
        )
    if after is not None:
        query = query.where(members.c.user_id > after)
    return [_member(row) for row in await connection.execute(query.order_by(members.c.user_id).limit(count))]


async def standing(connection: AsyncConnection, workspace_id: uuid.UUID, user_id: str) -> Standing:
    """Where this user stands, with every owner's row locked: of two who remove the last owners, the second sees it."""
    query = (
        select(members.c.user_id, members.c.role)
        .where(members.c.workspace_id == workspace_id)
        .where(or_(members.c.role == Role.OWNER.value, members.c.user_id == user_id))
        .order_by(members.c.user_id)
        .with_for_update()
    )
    roles = {found: Role(role) for found, role in await connection.execute(query)}
    own = roles.pop(user_id, None)
    return Standing(own, sum(role is Role.OWNER for role in roles.values()))


async def add(
    connection: AsyncConnection, workspace_id: uuid.UUID, user_id: str, *, role: Role, name: str, email: str | None
) -> Member | None:
    """The new member, or None where this user is one already."""
    statement = (
        insert(members)
        .values(workspace_id=workspace_id, user_id=user_id, role=role.value, name=name, email=email)
        .on_conflict_do_nothing(index_elements=[members.c.workspace_id, members.c.user_id])
        .returning(*_COLUMNS)
    )
    return _one((await connection.execute(statement)).one_or_none())


async def change(
    connection: AsyncConnection, workspace_id: uuid.UUID, user_id: str, values: Mapping[str, Any]
) -> Member | None:
    """The member after the change of some columns, or None."""
    if not values:
        return await find(connection, workspace_id, user_id)
    statement = update(members).where(*_is(workspace_id, user_id)).values(**values).returning(*_COLUMNS)
    return _one((await connection.execute(statement)).one_or_none())


async def remove(connection: AsyncConnection, workspace_id: uuid.UUID, user_id: str) -> bool:
    """Whether this user was a member, and is none any more."""
    return (await connection.execute(delete(members).where(*_is(workspace_id, user_id)))).rowcount == 1


def _is(workspace_id: uuid.UUID, user_id: str) -> tuple[Any, Any]:
    return members.c.workspace_id == workspace_id, members.c.user_id == user_id


def _one(row: Row[Any] | None) -> Member | None:
    return None if row is None else _member(row)


def _member(row: Row[Any]) -> Member:
    values = row._asdict()
    return Member(**{**values, "role": Role(values["role"])})
