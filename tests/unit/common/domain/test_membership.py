"""Who may add, change and remove which member."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from convex_common.domain.membership import Refusal, may_change
from convex_common.domain.role import Role

VIEWER, RESPONDER, EDITOR, ADMIN, OWNER = Role

CASES = {
    "an admin adds a viewer": (ADMIN, None, VIEWER, 1, None),
    "an admin adds an admin": (ADMIN, None, ADMIN, 1, None),
    "an admin adds no owner": (ADMIN, None, OWNER, 1, Refusal.ROLE_ABOVE),
    "an owner adds an owner": (OWNER, None, OWNER, 1, None),
    "an admin raises an editor to admin": (ADMIN, EDITOR, ADMIN, 1, None),
    "an admin raises nobody to owner": (ADMIN, ADMIN, OWNER, 1, Refusal.ROLE_ABOVE),
    "an admin lowers an admin": (ADMIN, ADMIN, VIEWER, 1, None),
    "an admin lowers no owner": (ADMIN, OWNER, VIEWER, 1, Refusal.MEMBER_ABOVE),
    "an admin renames no owner": (ADMIN, OWNER, OWNER, 1, Refusal.MEMBER_ABOVE),
    "an admin removes no owner": (ADMIN, OWNER, None, 1, Refusal.MEMBER_ABOVE),
    "an admin removes an admin": (ADMIN, ADMIN, None, 1, None),
    "an owner lowers another": (OWNER, OWNER, ADMIN, 1, None),
    "the last owner is not lowered": (OWNER, OWNER, ADMIN, 0, Refusal.LAST_OWNER),
    "the last owner is not removed": (OWNER, OWNER, None, 0, Refusal.LAST_OWNER),
    "the last owner is renamed": (OWNER, OWNER, OWNER, 0, None),
    "an owner removes anybody else": (OWNER, ADMIN, None, 0, None),
}


@pytest.mark.parametrize("case", CASES)
def test_who_may_change_whom(case: str) -> None:
    actor, target, role, other_owners, expected = CASES[case]
    assert may_change(actor, target, role, other_owners=other_owners) is expected


@given(st.sampled_from(Role), st.none() | st.sampled_from(Role), st.none() | st.sampled_from(Role), st.integers(0, 3))
def test_nobody_touches_or_gives_what_is_above_them(
    actor: Role, target: Role | None, role: Role | None, other_owners: int
) -> None:
    if may_change(actor, target, role, other_owners=other_owners) is None:
        assert all(actor.rank >= touched.rank for touched in (target, role) if touched is not None)


class Workspace(RuleBasedStateMachine):
    """Members who change one another for as long as they like."""

    def __init__(self) -> None:
        super().__init__()
        self.members = {0: OWNER}

    @rule(actor=st.integers(0, 4), other=st.integers(0, 4), role=st.none() | st.sampled_from(Role))
    def change(self, actor: int, other: int, role: Role | None) -> None:
        if actor not in self.members:
            return
        owners = sum(one is OWNER for number, one in self.members.items() if number != other)
        if may_change(self.members[actor], self.members.get(other), role, other_owners=owners) is None:
            self.members.pop(other, None)
            if role is not None:
                self.members[other] = role

    @invariant()
    def has_an_owner(self) -> None:
        assert OWNER in self.members.values()


TestWorkspace = Workspace.TestCase
