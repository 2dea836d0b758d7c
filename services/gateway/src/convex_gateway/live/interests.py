"""What one socket subscribed to: the whole workspace, some of its frameworks, or both; each from an offset on."""

from __future__ import annotations

from typing import TypeAlias
from uuid import UUID

Scope: TypeAlias = UUID | None
"""A framework, or None for the whole workspace."""


class Interests:
    """Decides whether an entry is the socket's. An entry that two scopes share is still one entry.

    Most sockets have one scope, the workspace: there is a table of frameworks only where there are frameworks. `whole`
    is the offset behind which everything is wanted, None without that scope.
    """

    __slots__ = ("_frameworks", "whole")

    def __init__(self) -> None:
        self.whole: int | None = None
        self._frameworks: dict[UUID, int] | None = None

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """What it is subscribed to."""
        return (*(() if self.whole is None else (None,)), *(self._frameworks or ()))

    def __len__(self) -> int:
        return (self.whole is not None) + len(self._frameworks or ())

    def __bool__(self) -> bool:
        return self.whole is not None or bool(self._frameworks)

    def __contains__(self, scope: Scope) -> bool:
        return self._after(scope) is not None

    def add(self, scope: Scope, after: int) -> bool:
        """Want a scope's entries behind an offset; True if it is new. One that it has can only reach further back."""
        before = self._after(scope)
        after = after if before is None else min(after, before)
        if scope is None:
            self.whole = after
        else:
            self._frameworks = self._frameworks or {}
            self._frameworks[scope] = after
        return before is None

    def remove(self, scope: Scope) -> bool:
        """Want it no more; False if it was not wanted."""
        wanted = scope in self
        if scope is None:
            self.whole = None
        elif self._frameworks is not None:
            self._frameworks.pop(scope, None)
            self._frameworks = self._frameworks or None
        return wanted

    def wants(self, framework_id: UUID, offset: int) -> bool:
        """Whether an entry belongs to any of the scopes."""
        if self.whole is not None and self.whole < offset:
            return True
        some = self._after(framework_id) if self._frameworks else None
        return some is not None and some < offset

    def copy(self) -> Interests:
        """As they are now, whatever is added or removed."""
        same = Interests()
        same.whole, same._frameworks = self.whole, dict(self._frameworks) if self._frameworks else None
        return same

    def since(self, framework_id: UUID) -> int | None:
        """The offset behind which all of a framework's entries are wanted; None where none are."""
        afters = [after for after in (self.whole, self._after(framework_id)) if after is not None]
        return min(afters, default=None)

    def _after(self, scope: Scope) -> int | None:
        if scope is None:
            return self.whole
        return self._frameworks.get(scope) if self._frameworks else None
