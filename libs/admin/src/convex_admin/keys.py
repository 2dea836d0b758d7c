"""API keys, from the command line."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from convex_admin.database import in_workspace
from convex_common.domain.api_key import Maker, may_make, mint
from convex_common.domain.role import Role, Scope
from convex_common.errors import Invalid, NotFound
from convex_common.ids import Ids
from convex_common.postgres import api_keys
from convex_common.postgres.api_keys import ApiKey
from convex_common.postgres.bootstrap import OPERATOR


async def every(workspace: str) -> Sequence[ApiKey]:
    """The oldest first, revoked ones too."""
    async with in_workspace(workspace) as place:
        return await api_keys.page(place.connection, place.id, after=None, count=100_000)


async def create(
    workspace: str, name: str, *, role: Role, scopes: frozenset[Scope], days: int | None
) -> tuple[ApiKey, str]:
    """A new key and its text, which is not kept."""
    refusal = may_make(Maker(Role.OWNER), role, scopes, None)
    if refusal is not None:
        raise Invalid("--scope", refusal.value)
    expires_at = None if days is None else dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    minted = mint()
    async with in_workspace(workspace) as place:
        key = await api_keys.create(
            place.connection,
            place.id,
            Ids().new(),
            minted,
            name=name,
            role=role,
            scopes=scopes,
            created_by=OPERATOR,
            expires_at=expires_at,
        )
        detail = {"name": name, "role": role.value, "scopes": sorted(scopes), "prefix": key.prefix}
        await place.audit("api_key.created", f"api_key:{key.id}", **detail)
    return key, minted.text


async def revoke(workspace: str, which: str) -> ApiKey:
    """By its id or its prefix. Refused everywhere within 60 seconds; revoking it again changes nothing."""
    async with in_workspace(workspace) as place:
        found = await api_keys.page(place.connection, place.id, after=None, count=100_000)
        keys = [key for key in found if which in (str(key.id), key.prefix)]
        if len(keys) != 1:
            raise NotFound(f"there is no API key {which!r} in {workspace!r}", cure="see `convex admin key list`")
        if await api_keys.revoke(place.connection, place.id, keys[0].id):
            await place.audit("api_key.revoked", f"api_key:{keys[0].id}", prefix=keys[0].prefix)
        return keys[0]
