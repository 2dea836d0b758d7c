"""API keys as rows. Of a key's text only the digest is here."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, UUID
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam

from convex_common.domain.api_key import Minted
from convex_common.domain.role import Role, Scope
from convex_common.postgres.tables import api_keys


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as its workspace sees it."""

    id: uuid.UUID
    name: str
    prefix: str
    role: Role
    scopes: Sequence[Scope]
    created_by: str
    created_at: dt.datetime
    expires_at: dt.datetime | None
    last_used_at: dt.datetime | None
    revoked_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class UsableKey:
    """A key that is not revoked, found by its digest in whatever workspace. `untold`: its last use is to be written."""

    digest: bytes
    workspace_id: uuid.UUID
    id: uuid.UUID
    role: Role
    scopes: frozenset[Scope]
    expires_at: dt.datetime | None
    untold: bool


_FIND = text("SELECT * FROM find_api_keys(:digests)").bindparams(bindparam("digests", type_=ARRAY(BYTEA)))
_USE = select(func.use_api_keys(bindparam("used", type_=ARRAY(UUID))))
_COLUMNS = tuple(api_keys.c[name] for name in ApiKey.__dataclass_fields__)


async def usable(connection: AsyncConnection, digests: Collection[bytes]) -> Sequence[UsableKey]:
    """Those of the digests that are usable keys', by a transaction without a workspace."""
    rows = await connection.execute(_FIND, {"digests": list(digests)})
    return [
        UsableKey(digest, workspace_id, key_id, Role(role), frozenset(map(Scope, scopes)), expires_at, untold)
        for digest, workspace_id, key_id, role, scopes, expires_at, untold in rows
    ]


async def use(connection: AsyncConnection, key_ids: Collection[uuid.UUID]) -> None:
    """Write down that these keys are used now, by a transaction without a workspace."""
    await connection.execute(_USE, {"used": list(key_ids)})


async def create(
    connection: AsyncConnection,
    workspace_id: uuid.UUID,
    key_id: uuid.UUID,
    minted: Minted,
    *,
    name: str,
    role: Role,
    scopes: Collection[Scope],
    created_by: str,
    expires_at: dt.datetime | None,
) -> ApiKey:
    """A new key's row."""
    statement = insert(api_keys).values(
        workspace_id=workspace_id,
        id=key_id,
        name=name,
        prefix=minted.prefix,
        digest=minted.digest,
        role=role.value,
        scopes=[scope.value for scope in Scope if scope in scopes],
        created_by=created_by,
        expires_at=expires_at,
    )
    return _key((await connection.execute(statement.returning(*_COLUMNS))).one())


async def page(
    connection: AsyncConnection,
    workspace_id: uuid.UUID,
    *,
    after: uuid.UUID | None,
    count: int,
    revoked: bool | None = None,
) -> Sequence[ApiKey]:
    """Up to `count` keys after an id, the oldest first; only those that are or are not revoked, or all."""
    query = select(*_COLUMNS).where(api_keys.c.workspace_id == workspace_id)
    if revoked is not None:
        query = query.where(api_keys.c.revoked_at.is_not(None) if revoked else api_keys.c.revoked_at.is_(None))
    if after is not None:
        query = query.where(api_keys.c.id > after)
    return [_key(row) for row in await connection.execute(query.order_by(api_keys.c.id).limit(count))]


async def find(connection: AsyncConnection, workspace_id: uuid.UUID, key_id: uuid.UUID) -> ApiKey | None:
    """A key, or None."""
    return _one((await connection.execute(select(*_COLUMNS).where(*_is(workspace_id, key_id)))).one_or_none())


async def change(
    connection: AsyncConnection, workspace_id: uuid.UUID, key_id: uuid.UUID, values: Mapping[str, Any]
) -> ApiKey | None:
    """The key after the change of some columns, or None."""
    if not values:
        return await find(connection, workspace_id, key_id)
    statement = update(api_keys).where(*_is(workspace_id, key_id)).values(**values).returning(*_COLUMNS)
    return _one((await connection.execute(statement)).one_or_none())


async def revoke(connection: AsyncConnection, workspace_id: uuid.UUID, key_id: uuid.UUID) -> bool:
    """Whether it was usable, and is no more."""
    statement = update(api_keys).where(*_is(workspace_id, key_id), api_keys.c.revoked_at.is_(None))
    return (await connection.execute(statement.values(revoked_at=func.now()))).rowcount == 1


async def revoke_all_of(connection: AsyncConnection, workspace_id: uuid.UUID, user_id: str) -> Sequence[uuid.UUID]:
    """The keys that this user made, which are usable no more."""
    statement = update(api_keys).where(
        api_keys.c.workspace_id == workspace_id, api_keys.c.created_by == user_id, api_keys.c.revoked_at.is_(None)
    )
    revoked = await connection.execute(statement.values(revoked_at=func.now()).returning(api_keys.c.id))
    return list(revoked.scalars())


def _is(workspace_id: uuid.UUID, key_id: uuid.UUID) -> tuple[Any, Any]:
    return api_keys.c.workspace_id == workspace_id, api_keys.c.id == key_id


def _one(row: Row[Any] | None) -> ApiKey | None:
    return None if row is None else _key(row)


def _key(row: Row[Any]) -> ApiKey:
    values = row._asdict()
    return ApiKey(**{**values, "role": Role(values["role"]), "scopes": [Scope(scope) for scope in values["scopes"]]})
