"""Who is calling: a JWT's claims, held against the workspace's members."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from starlette.types import Scope

from convex_common.errors import Forbidden, Unauthorized

if TYPE_CHECKING:
    from convex_gateway.memberships import Memberships
    from convex_gateway.tokens import TokenReader


class Role(StrEnum):
    """What a member may do; each may all that the ones before it may."""

    VIEWER = "viewer"
    RESPONDER = "responder"
    EDITOR = "editor"
    ADMIN = "admin"
    OWNER = "owner"

    @property
    def rank(self) -> int:
        """0 for viewer up to 4 for owner."""
        return RANKS[self]

    def allows(self, needed: Role) -> bool:
        """Whether this is `needed` or higher."""
        return RANKS[self] >= RANKS[needed]

    def at_most(self, other: Role) -> Role:
        """The lower of the two."""
        return self if RANKS[self] <= RANKS[other] else other


RANKS = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who the token is, with the lower of its role and the member's. `expires_at` in seconds since the epoch."""

    workspace_id: uuid.UUID
    user_id: str
    role: Role
    expires_at: float
    operator: bool

    def require(self, needed: Role) -> None:
        """Forbidden, naming the role, if it takes more than this one's."""
        if not self.role.allows(needed):
            raise Forbidden(f"this takes the role {needed.value} or higher, yours is {self.role.value}")


class Authenticator:
    """Turns credentials into a principal: a signature once per token, the membership every 30 s."""

    def __init__(self, tokens: TokenReader, memberships: Memberships, clock: Callable[[], float] = time.time) -> None:
        self._tokens = tokens
        self._memberships = memberships
        self._clock = clock

    async def caller(self, scope: Scope) -> Principal:
        """Who makes this request. Unauthorized (naming why), Forbidden, StoreUnavailable."""
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) > 1:
            raise Unauthorized("there is more than one Authorization header", cure="send one")
        return await self.principal(given[0].decode("latin-1") if given else None)

    async def principal(self, authorization_header: str | None) -> Principal:
        """Of an `Authorization: Bearer …` header. Unauthorized (naming why), StoreUnavailable."""
        if authorization_header is None:
            raise Unauthorized("there is no Authorization header", cure="send Authorization: Bearer TOKEN")
        scheme, _, token = authorization_header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized("the Authorization header is no bearer token", cure="send Authorization: Bearer TOKEN")
        return await self.from_token(token.strip())

    async def from_token(self, token: str) -> Principal:
        """Of a token alone, as sockets send it. Unauthorized (naming why), StoreUnavailable."""
        claims = await self._tokens.read(token, self._clock())
        role = await self._memberships.role_of(claims.workspace_id, claims.user_id)
        if role is None:
            raise Unauthorized("the token's subject is no member of its workspace")
        return Principal(
            workspace_id=claims.workspace_id,
            user_id=claims.user_id,
            role=claims.role.at_most(role),
            expires_at=claims.expires_at,
            operator=claims.operator,
        )
