"""API keys: credentials for what is no person. A key's text is told once; what is kept is its digest."""

from __future__ import annotations

import datetime as dt
import math
import uuid
from typing import Annotated

from fastapi import Query

from convex_common.domain.api_key import Maker, Refusal, may_make, mint, principal_of
from convex_common.domain.role import Role
from convex_common.errors import Forbidden, Invalid, NotFound
from convex_common.postgres import api_keys as rows
from convex_gateway import revocation
from convex_gateway.limits.quotas import Quota
from convex_gateway.operations import Authorized, Call, Resource
from convex_gateway.pagination import PageAsked, cursor_of, cut
from convex_gateway.principal import Principal
from convex_gateway.shapes.api_keys import ApiKey, ApiKeyDraft, ApiKeyPage, ApiKeyPatch, NewApiKey
from convex_gateway.shapes.body import changes

resource = Resource("api keys")

_FIELDS = {Refusal.UNUSABLE_SCOPE: "scopes", Refusal.OUTLIVES: "expires_at"}


@resource.operation("POST", "/api-keys", role=Role.ADMIN, answer=NewApiKey, status=201)
async def create_api_key(call: Authorized, draft: ApiKeyDraft) -> object:
    """Make an API key.

    Its text is `key` in this answer and never told again. A key may nothing that its maker may not: its role is not
    above theirs, and one that is made by a key has some of that key's scopes and ends with it.
    """
    now = dt.datetime.now(dt.UTC)
    if draft.expires_at is not None and draft.expires_at <= now:
        raise Invalid("expires_at", "is in the past")
    scopes = frozenset(draft.scopes)
    refusal = may_make(_maker(call.principal), draft.role, scopes, draft.expires_at)
    if refusal in _FIELDS:
        raise Invalid(_FIELDS[refusal], refusal.value)
    if refusal is not None:
        raise Forbidden(refusal.value)
    minted = mint()
    async with call.transaction() as connection:
        await call.within(Quota.API_KEYS, connection)
        made = await rows.create(
            connection,
            call.workspace_id,
            call.gateway.ids.new(),
            minted,
            name=draft.name,
            role=draft.role,
            scopes=scopes,
            created_by=call.principal.user_id,
            expires_at=draft.expires_at,
        )
        await call.audit(
            connection,
            "api_key.created",
            f"api_key:{made.id}",
            name=made.name,
            prefix=made.prefix,
            role=made.role.value,
            scopes=[scope.value for scope in made.scopes],
            expires_at=made.expires_at,
        )
    return NewApiKey(**ApiKey.model_validate(made).model_dump(), key=minted.text)


@resource.operation("GET", "/api-keys", role=Role.ADMIN, answer=ApiKeyPage)
async def list_api_keys(
    call: Authorized,
    asked: PageAsked,
    revoked: Annotated[bool | None, Query(description="Only those that are, or are not; else all")] = None,
) -> object:
    """List the API keys, the oldest first."""
    async with call.transaction() as connection:
        found = await rows.page(
            connection, call.workspace_id, after=asked.after, count=asked.limit + 1, revoked=revoked
        )
    items, last = cut(found, asked.limit)
    return {"items": items, "next_cursor": cursor_of(last.id if last else None)}


@resource.operation("GET", "/api-keys/{key_id}", role=Role.ADMIN, answer=ApiKey)
async def get_api_key(call: Authorized, key_id: uuid.UUID) -> object:
    """Get an API key, without its text."""
    async with call.transaction() as connection:
        return _found(await rows.find(connection, call.workspace_id, key_id))


@resource.operation("PATCH", "/api-keys/{key_id}", role=Role.ADMIN, answer=ApiKey)
async def change_api_key(call: Authorized, key_id: uuid.UUID, patch: ApiKeyPatch) -> object:
    """Rename an API key."""
    async with call.transaction() as connection:
        _check_rank(call, _found(await rows.find(connection, call.workspace_id, key_id)))
        values = changes(patch)
        changed = _found(await rows.change(connection, call.workspace_id, key_id, values))
        if values:
            await call.audit(connection, "api_key.changed", f"api_key:{key_id}", fields=sorted(values))
        return changed


@resource.operation("DELETE", "/api-keys/{key_id}", role=Role.ADMIN, status=204)
async def revoke_api_key(call: Authorized, key_id: uuid.UUID) -> None:
    """Revoke an API key.

    It is refused at once here, and within 60 seconds on other gateways, which close its sockets by then. It stays on
    the list as revoked, and revoking it again changes nothing.
    """
    async with call.transaction() as connection:
        key = _found(await rows.find(connection, call.workspace_id, key_id))
        _check_rank(call, key)
        revocation.tell(call, principal_of(key_id))
        if await rows.revoke(connection, call.workspace_id, key_id):
            await call.audit(connection, "api_key.revoked", f"api_key:{key_id}", name=key.name, prefix=key.prefix)


def _maker(principal: Principal) -> Maker:
    """A person's keys may outlive the token that they sign in with; a key's may not outlive the key."""
    ends = principal.key_id is not None and math.isfinite(principal.expires_at)
    expires_at = dt.datetime.fromtimestamp(principal.expires_at, dt.UTC) if ends else None
    return Maker(principal.role, principal.scopes, expires_at)


def _check_rank(call: Call, key: rows.ApiKey) -> None:
    if not call.principal.role.allows(key.role):
        raise Forbidden("this key's role is above your own", cure="ask an owner")


def _found(key: rows.ApiKey | None) -> rows.ApiKey:
    if key is None:
        raise NotFound("there is no such API key in this workspace")
    return key
