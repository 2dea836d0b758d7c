"""What a member or a key may do in a workspace."""

from __future__ import annotations

from enum import StrEnum


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


class Scope(StrEnum):
    """What a key is for: it narrows the role and never widens it. A key without scopes may all that its role may."""

    INGEST = "ingest"
    """Send triggers, observations and other tools' alerts."""
    READ = "read"
    """Look at everything that a viewer sees, and follow it live."""
    RESPOND = "respond"
    """Acknowledge, resolve, and what else is done to alerts."""
    CONFIGURE = "configure"
    """Make, change and delete frameworks, rules and channels."""
    ADMIN = "admin"
    """Keys, members, the audit log."""

    @property
    def least(self) -> Role:
        """The lowest role that has any use for it."""
        return _LEAST[self]

    @classmethod
    def of(cls, role: Role, *, reads: bool) -> Scope:
        """The scope of an operation that takes this role and reads, or else writes."""
        if role.allows(Role.ADMIN):
            return cls.ADMIN
        if reads:
            return cls.READ
        return cls.CONFIGURE if role.allows(Role.EDITOR) else cls.RESPOND


_LEAST = {
    Scope.INGEST: Role.RESPONDER,
    Scope.READ: Role.VIEWER,
    Scope.RESPOND: Role.RESPONDER,
    Scope.CONFIGURE: Role.EDITOR,
    Scope.ADMIN: Role.ADMIN,
}
