"""What one socket subscribed to: the whole workspace, some of its frameworks, or both; each from an offset on."""

from __future__ import annotations

from typing import TypeAlias
from uuid import UUID

Scope: TypeAlias = UUID | None
"""A framework, or None for the whole workspace."""


class Interests:
    """Decides whether an entry is the socket's. An entry that two scopes share is still one entry."""

    def __init__(self) -> None:
        self._after: dict[Scope, int] = {}

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """What it is subscribed to."""
        return tuple(self._after)

    def __bool__(self) -> bool:
        return bool(self._after)

    def __contains__(self, scope: Scope) -> bool:
        return scope in self._after

    def add(self, scope: Scope, after: int) -> bool:
        """Want a scope's entries behind an offset; True if it is new. One that it has can only reach further back."""
        new = scope not in self._after
        self._after[scope] = after if new else min(after, self._after[scope])
        return new

    def remove(self, scope: Scope) -> bool:
        """Want it no more; False if it was not wanted."""
        return self._after.pop(scope, None) is not None

    def wants(self, framework_id: UUID, offset: int) -> bool:
        """Whether an entry belongs to any of the scopes."""
        whole = self._after.get(None)
        if whole is not None and whole < offset:
            return True
        some = self._after.get(framework_id)
        return some is not None and some < offset
