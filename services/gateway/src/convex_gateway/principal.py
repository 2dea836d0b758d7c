"""Who calls, and what they may."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from convex_common.domain.role import Role, Scope
from convex_common.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, with the lower of the token's role and the member's, or a key's own.

    `expires_at` is in seconds since the epoch, infinite for a key that does not expire. `scopes` narrow what the role
    may; none of them is all of it. A key's `user_id` is `key:<id>`.
    """

    workspace_id: uuid.UUID
    user_id: str
    role: Role
    expires_at: float
    operator: bool
    key_id: uuid.UUID | None = None
    scopes: frozenset[Scope] = frozenset()

    def require(self, needed: Role, scope: Scope) -> None:
        """Forbidden, naming what is missing, if it takes more than this one's role or another scope than it has."""
        if not self.role.allows(needed):
            raise Forbidden(f"this takes the role {needed.value} or higher, yours is {self.role.value}")
        if self.scopes and scope not in self.scopes:
            raise Forbidden(
                f"this takes a key with the scope {scope.value}, this one has {', '.join(sorted(self.scopes))}"
            )
