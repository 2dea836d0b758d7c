"""Members, from the command line. The rules are the API's, for somebody who may all."""

from __future__ import annotations

from collections.abc import Sequence

from convex_admin.database import in_workspace
from convex_admin.failures import Overtaken
from convex_common.domain.api_key import PRINCIPAL
from convex_common.domain.membership import may_change
from convex_common.domain.role import Role
from convex_common.errors import Conflict, Invalid, NotFound
from convex_common.postgres import members
from convex_common.postgres.members import Member


async def everybody(workspace: str) -> Sequence[Member]:
    """In the order of their user ids."""
    async with in_workspace(workspace) as place:
        return await members.page(place.connection, place.id, after=None, count=100_000)


async def add(workspace: str, user_id: str, *, role: Role, name: str | None, email: str | None) -> Member:
    """Add a member, or give one who is there this role. Conflict where that would leave no owner."""
    if not 0 < len(user_id) <= 255 or user_id.startswith(PRINCIPAL) or "\0" in user_id:
        raise Invalid("USER_ID", f"has up to 255 characters and does not start with {PRINCIPAL}")
    async with in_workspace(workspace) as place:
        standing = await members.standing(place.connection, place.id, user_id)
        refusal = may_change(Role.OWNER, standing.role, role, other_owners=standing.other_owners)
        if refusal is not None:
            raise Conflict(refusal.value, cure="make somebody else an owner first")
        if standing.role is None:
            member = await members.add(
                place.connection, place.id, user_id, role=role, name=name or user_id, email=email
            )
            action, before = "member.added", {}
        else:
            told = {"name": name, "email": email}
            values = {"role": role.value} | {field: value for field, value in told.items() if value is not None}
            member = await members.change(place.connection, place.id, user_id, values)
            action, before = "member.role_changed", {"from": standing.role.value}
        if member is None:
            raise Overtaken(f"{user_id!r} was added at the same moment", cure="run it again")
        await place.audit(action, f"member:{user_id}", role=role.value, **before)
        return member


async def remove(workspace: str, user_id: str) -> None:
    """Refused everywhere within 60 seconds. NotFound; Conflict for the last owner."""
    async with in_workspace(workspace) as place:
        standing = await members.standing(place.connection, place.id, user_id)
        if standing.role is None:
            raise NotFound(f"{user_id!r} is no member of {workspace!r}")
        refusal = may_change(Role.OWNER, standing.role, None, other_owners=standing.other_owners)
        if refusal is not None:
            raise Conflict(refusal.value, cure="make somebody else an owner first")
        await members.remove(place.connection, place.id, user_id)
        await place.audit("member.removed", f"member:{user_id}", role=standing.role.value)
