"""Who may add, change and remove which member."""

from __future__ import annotations

from enum import StrEnum

from convex_common.domain.role import Role


class Refusal(StrEnum):
    """Why a membership stays as it is."""

    MEMBER_ABOVE = "this member's role is above your own"
    ROLE_ABOVE = "nobody gives a role above their own"
    LAST_OWNER = "a workspace keeps an owner, and this is the last one"


def may_change(actor: Role, target: Role | None, role: Role | None, *, other_owners: int) -> Refusal | None:
    """Why `actor` may not turn a member's role `target` into `role`, or None.

    `target` is None for somebody who is no member yet, `role` for a member who is to be one no more. `other_owners`
    are the workspace's besides this member.
    """
    if target is not None and not actor.allows(target):
        return Refusal.MEMBER_ABOVE
    if role is not None and not actor.allows(role):
        return Refusal.ROLE_ABOVE
    if target is Role.OWNER and role is not Role.OWNER and other_owners < 1:
        return Refusal.LAST_OWNER
    return None
