"""Who is calling: a JWT's claims, held against the workspace's members, an API key, or a browser's session."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from starlette import types

from convex_common.domain import api_key
from convex_common.errors import Unauthorized
from convex_gateway.api_keys import ApiKeys
from convex_gateway.memberships import Memberships
from convex_gateway.principal import Principal
from convex_gateway.signin.sessions import Sessions
from convex_gateway.tokens import Claims, TokenReader, Verified


@dataclass(frozen=True, slots=True)
class KeyText:
    """An API key that let somebody in."""

    text: str


@dataclass(frozen=True, slots=True)
class SessionToken:
    """A session's token that let somebody in."""

    text: str


Proof: TypeAlias = Verified | KeyText | SessionToken
"""What let somebody in, kept to look again whether it still does: of a JWT what it said, not the token."""


class Authenticator:
    """Turns credentials into a principal: a signature once per token, a membership or a key every 30 s."""

    def __init__(
        self,
        tokens: TokenReader,
        memberships: Memberships,
        keys: ApiKeys,
        sessions: Sessions | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.memberships = memberships
        self.keys = keys
        self._tokens = tokens
        self._sessions = sessions
        self._clock = clock

    async def caller(self, scope: types.Scope) -> Principal:
        """Who makes this request: by its Authorization header, or else by its session's cookie.

        Unauthorized (naming why); Forbidden for what another site made a browser send; StoreUnavailable.
        """
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) > 1:
            raise Unauthorized("there is more than one Authorization header", cure="send one")
        if not given and self._sessions is not None:
            by_cookie = await self._sessions.caller(scope)
            if by_cookie is not None:
                return by_cookie
        return await self.principal(given[0].decode("latin-1") if given else None)

    async def from_session(self, token: str) -> Principal:
        """Of a session's token alone, as it came with a socket's cookie. Unauthorized, StoreUnavailable."""
        if self._sessions is None:
            raise Unauthorized("there are no sessions here", cure="send a token")
        return await self._sessions.principal(token)

    async def principal(self, authorization_header: str | None) -> Principal:
        """Of an `Authorization: Bearer …` header. Unauthorized (naming why), StoreUnavailable."""
        if authorization_header is None:
            raise Unauthorized("there is no Authorization header", cure="send Authorization: Bearer TOKEN")
        scheme, _, token = authorization_header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized("the Authorization header is no bearer token", cure="send Authorization: Bearer TOKEN")
        return await self.from_token(token.strip())

    async def from_token(self, token: str) -> Principal:
        """Of a JWT or an API key alone, as sockets send it. Unauthorized (naming why), StoreUnavailable."""
        return (await self.admit(token))[0]

    async def admit(self, token: str) -> tuple[Principal, Proof]:
        """The same for who stays: `again` takes the proof. Unauthorized (naming why), StoreUnavailable."""
        if token.startswith(api_key.START):
            return await self._from_key(token), KeyText(token)
        verified = await self._tokens.verified(token, self._clock())
        return await self._from_claims(verified.claims), verified

    async def again(self, proof: Proof) -> Principal:
        """Who it is now. Unauthorized (naming why), StoreUnavailable."""
        match proof:
            case KeyText(text):
                return await self._from_key(text)
            case SessionToken(text):
                return await self.from_session(text)
            case Verified():
                return await self._from_claims(self._tokens.again(proof, self._clock()))

    async def _from_claims(self, claims: Claims) -> Principal:
        role = await self.memberships.role_of(claims.workspace_id, claims.user_id)
        if role is None:
            raise Unauthorized("the token's subject is no member of its workspace")
        return Principal(
            workspace_id=claims.workspace_id,
            user_id=claims.user_id,
            role=claims.role.at_most(role),
            expires_at=claims.expires_at,
            operator=claims.operator,
        )

    def forget(self, workspace_id: uuid.UUID, user_id: str) -> None:
        """Look this member or key up again when they come next."""
        if user_id.startswith(api_key.PRINCIPAL):
            self.keys.forget(uuid.UUID(user_id.removeprefix(api_key.PRINCIPAL)))
        else:
            self.memberships.forget(workspace_id, user_id)
        if self._sessions is not None:
            self._sessions.forget(workspace_id, user_id)

    async def _from_key(self, text: str) -> Principal:
        principal = await self.keys.find(text)
        if principal is None:
            raise Unauthorized("the API key is unknown or revoked", cure="ask an admin of the workspace for another")
        if principal.expires_at <= self._clock():
            raise Unauthorized("the API key has expired", cure="ask an admin of the workspace for another")
        return principal
