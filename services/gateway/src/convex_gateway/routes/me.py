"""Who the caller is."""

from __future__ import annotations

import datetime as dt
import math

from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.domain.role import Role
from convex_common.errors import Unauthorized
from convex_common.postgres import api_keys, members, workspaces
from convex_gateway.operations import Authorized, Resource
from convex_gateway.principal import Principal
from convex_gateway.shapes.people import Me, OwnKey
from convex_gateway.shapes.workspace import Workspace

resource = Resource("me")

LATEST = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)


@resource.operation("GET", "/me", role=Role.VIEWER, answer=Me)
async def get_me(call: Authorized) -> object:
    """Get who the token is."""
    principal = call.principal
    async with call.transaction() as connection:
        name, email, key = await _called(connection, principal)
        workspace = await workspaces.get(connection, call.workspace_id)
    return Me(
        user_id=principal.user_id,
        name=name,
        email=email,
        role=principal.role,
        operator=principal.operator,
        expires_at=_time(principal.expires_at),
        api_key=key,
        workspace_id=call.workspace_id,
        workspace=Workspace(id=workspace.id, slug=workspace.slug, name=workspace.name),
    )


async def _called(connection: AsyncConnection, own: Principal) -> tuple[str, str | None, OwnKey | None]:
    """What a person or a key is called."""
    if own.key_id is None:
        member = await members.find(connection, own.workspace_id, own.user_id)
        if member is None:
            raise Unauthorized("the token's subject is no member of its workspace")
        return member.name, member.email, None
    key = await api_keys.find(connection, own.workspace_id, own.key_id)
    if key is None or key.revoked_at is not None:
        raise Unauthorized("the API key is unknown or revoked", cure="ask an admin of the workspace for another")
    return key.name, None, OwnKey(id=key.id, prefix=key.prefix, scopes=list(key.scopes))


def _time(seconds: float) -> dt.datetime | None:
    if math.isinf(seconds):
        return None
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (ValueError, OverflowError, OSError):
        return LATEST
