"""Roles and scopes as they are written on a command line."""

from __future__ import annotations

from collections.abc import Sequence

from convex_common.domain.role import Role, Scope
from convex_common.errors import Invalid


def role_of(word: str) -> Role:
    """Invalid names those that there are."""
    if word not in list(Role):
        raise Invalid("--role", f"{word!r} is no role", cure=f"choose one of {', '.join(Role)}")
    return Role(word)


def scopes_of(words: Sequence[str]) -> frozenset[Scope]:
    """Invalid names those that there are."""
    for word in words:
        if word not in list(Scope):
            raise Invalid("--scope", f"{word!r} is no scope", cure=f"choose some of {', '.join(Scope)}")
    return frozenset(map(Scope, words))
