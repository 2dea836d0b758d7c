"""Who the caller is."""

from __future__ import annotations

import datetime as dt

from convex_common.errors import Unauthorized
from convex_common.postgres import members
from convex_gateway.auth import Role
from convex_gateway.operations import Authorized, Resource
from convex_gateway.shapes.people import Me, Workspace

resource = Resource("me")

LATEST = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)


@resource.operation("GET", "/me", role=Role.VIEWER, answer=Me)
async def get_me(call: Authorized) -> object:
    """Get who the token is."""
    async with call.transaction() as connection:
        member = await members.find(connection, call.workspace_id, call.principal.user_id)
    if member is None:
        raise Unauthorized("the token's subject is no member of its workspace")
    return Me(
        user_id=call.principal.user_id,
        name=member.name,
        email=member.email,
        role=call.principal.role,
        operator=call.principal.operator,
        expires_at=_time(call.principal.expires_at),
        workspace_id=call.workspace_id,
        workspace=Workspace(id=call.workspace_id, slug=member.workspace_slug, name=member.workspace_name),
    )


def _time(seconds: float) -> dt.datetime:
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (ValueError, OverflowError, OSError):
        return LATEST
