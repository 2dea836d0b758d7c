"""Members: who belongs to the workspace, in which role, and who of them an alert can be assigned to."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from convex_common.domain.api_key import principal_of
from convex_common.domain.membership import Refusal, may_change
from convex_common.domain.role import Role
from convex_common.errors import Conflict, Forbidden, NotFound
from convex_common.postgres import api_keys, members
from convex_gateway import revocation
from convex_gateway.limits.quotas import Quota
from convex_gateway.operations import Authorized, Call, Resource
from convex_gateway.pagination import PageAsked, cut, text_cursor_of
from convex_gateway.problems import NO_NUL
from convex_gateway.shapes.body import changes
from convex_gateway.shapes.members import AssigneePage, Member, MemberDraft, MemberId, MemberPage, MemberPatch

resource = Resource("members")

ONE = "/members/{user_id:path}"
"""Some issuers' user ids have slashes."""


@resource.operation("POST", "/members", role=Role.ADMIN, answer=Member, status=201, errors=(409,))
async def add_member(call: Authorized, draft: MemberDraft) -> object:
    """Add a member.

    They get in with the next token that the issuer gives them for this workspace. Nobody gives a role above their own.
    """
    async with call.transaction() as connection:
        standing = await members.standing(connection, call.workspace_id, draft.user_id)
        if standing.role is not None:
            raise _taken(draft.user_id)
        _check(may_change(call.principal.role, None, draft.role, other_owners=standing.other_owners))
        await call.within(Quota.MEMBERS, connection)
        added = await members.add(
            connection,
            call.workspace_id,
            draft.user_id,
            role=draft.role,
            name=draft.name or draft.user_id,
            email=draft.email,
        )
        if added is None:
            raise _taken(draft.user_id)
        revocation.tell(call, draft.user_id)
        await call.audit(connection, "member.added", f"member:{added.user_id}", role=added.role.value)
    return added


@resource.operation("GET", "/members", role=Role.ADMIN, answer=MemberPage)
async def list_members(call: Authorized, asked: PageAsked) -> object:
    """List the members, in the order of their user ids."""
    return await _page(call, asked)


@resource.operation("GET", "/assignees", role=Role.RESPONDER, answer=AssigneePage)
async def list_assignees(
    call: Authorized,
    asked: PageAsked,
    q: Annotated[
        str | None, Query(max_length=200, pattern=NO_NUL, description="Part of the user id or of the name")
    ] = None,
) -> object:
    """List whom an alert can be assigned to: the members, by their ids and names alone.

    In the order of their user ids. Roles and email addresses stay with the admins.
    """
    return await _page(call, asked, q)


async def _page(call: Call, asked: PageAsked, text: str | None = None) -> dict[str, object]:
    """A page of the members; what of them is shown, the operation's shape says."""
    async with call.transaction() as connection:
        found = await members.page(
            connection, call.workspace_id, after=asked.after_text, count=asked.limit + 1, text=text
        )
    items, last = cut(found, asked.limit)
    return {"items": items, "next_cursor": text_cursor_of(last.user_id if last else None)}


@resource.operation("GET", ONE, role=Role.ADMIN, answer=Member)
async def get_member(call: Authorized, user_id: MemberId) -> object:
    """Get a member."""
    async with call.transaction() as connection:
        return _found(await members.find(connection, call.workspace_id, user_id))


@resource.operation("PATCH", ONE, role=Role.ADMIN, answer=Member, errors=(409,))
async def change_member(call: Authorized, user_id: MemberId, patch: MemberPatch) -> object:
    """Change a member's role, name or email.

    A new role is in force at once here and within 30 seconds on other gateways. Nobody gives a role above their own or
    changes a member whose role is; the last owner stays one (409).
    """
    values = changes(patch)
    async with call.transaction() as connection:
        standing = await members.standing(connection, call.workspace_id, user_id)
        if standing.role is None:
            raise _absent()
        role = patch.role if "role" in values else standing.role
        _check(may_change(call.principal.role, standing.role, role, other_owners=standing.other_owners))
        if role is not standing.role:
            revocation.tell(call, user_id)
        changed = _found(await members.change(connection, call.workspace_id, user_id, {**values, "role": role.value}))
        if role is not standing.role:
            told = {"from": standing.role.value, "to": role.value}
            await call.audit(connection, "member.role_changed", f"member:{user_id}", **told)
        elif values:
            await call.audit(connection, "member.changed", f"member:{user_id}", fields=sorted(values))
        return changed


@resource.operation("DELETE", ONE, role=Role.ADMIN, status=204, errors=(409,))
async def remove_member(
    call: Authorized,
    user_id: MemberId,
    revoke_keys: Annotated[bool, Query(description="Also revoke the API keys that they made")] = False,
) -> None:
    """Remove a member.

    Their tokens are refused at once here, and within 60 seconds on other gateways, which close their sockets by then.
    API keys that they made stay, unless `revoke_keys` says otherwise. The last owner stays (409).
    """
    async with call.transaction() as connection:
        standing = await members.standing(connection, call.workspace_id, user_id)
        if standing.role is None:
            raise _absent()
        _check(may_change(call.principal.role, standing.role, None, other_owners=standing.other_owners))
        await members.remove(connection, call.workspace_id, user_id)
        revoked = await api_keys.revoke_all_of(connection, call.workspace_id, user_id) if revoke_keys else []
        revocation.tell(call, user_id, *map(principal_of, revoked))
        keys = [str(key_id) for key_id in revoked]
        await call.audit(
            connection, "member.removed", f"member:{user_id}", role=standing.role.value, revoked_api_keys=keys
        )


def _check(refusal: Refusal | None) -> None:
    if refusal is Refusal.LAST_OWNER:
        raise Conflict(refusal.value, cure="make somebody else an owner first")
    if refusal is not None:
        raise Forbidden(refusal.value, cure="ask an owner")


def _found(member: members.Member | None) -> members.Member:
    if member is None:
        raise _absent()
    return member


def _absent() -> NotFound:
    return NotFound("there is no such member in this workspace")


def _taken(user_id: str) -> Conflict:
    return Conflict(f"user_id: {user_id!r} is a member already", cure="change the role with PATCH")
