"""API keys as rows. Of a key's text only the digest is here."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, UUID
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import bindparam

from convex_common.domain.role import Role, Scope


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


async def find(connection: AsyncConnection, digests: Collection[bytes]) -> Sequence[UsableKey]:
    """Those of the digests that are usable keys', by a transaction without a workspace."""
    rows = await connection.execute(_FIND, {"digests": list(digests)})
    return [
        UsableKey(digest, workspace_id, key_id, Role(role), frozenset(map(Scope, scopes)), expires_at, untold)
        for digest, workspace_id, key_id, role, scopes, expires_at, untold in rows
    ]


async def use(connection: AsyncConnection, key_ids: Collection[uuid.UUID]) -> None:
    """Write down that these keys are used now, by a transaction without a workspace."""
    await connection.execute(_USE, {"used": list(key_ids)})
