"""Keys as text, and what a key or a person may pass on."""

from __future__ import annotations

import datetime as dt
import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_common.domain.api_key import LONGEST, Maker, Refusal, chosen, digest_of, may_make, mint
from convex_common.domain.role import Role, Scope

SOON, LATER = (dt.datetime(2030, 1, day, tzinfo=dt.UTC) for day in (1, 2))
NONE: frozenset[Scope] = frozenset()
INGEST = frozenset({Scope.INGEST})
TWO = frozenset({Scope.INGEST, Scope.ADMIN})


def test_a_key_is_a_prefix_to_know_it_by_and_256_bits() -> None:
    minted = mint()
    assert re.fullmatch(r"cvx_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}", minted.text)
    assert minted.text.startswith(minted.prefix + "_")
    assert minted.digest == hashlib.sha256(minted.text.encode()).digest() == digest_of(minted.text)
    assert len(minted.text) <= LONGEST
    assert mint().text != minted.text


def test_a_key_that_somebody_made_up_is_one_of_ours_or_none() -> None:
    minted = mint()
    assert chosen(minted.text) == minted
    for wrong in ("", minted.text[:-1], minted.text + "0", minted.text[1:], minted.text + "\n", "cvx_" + "0" * 52):
        assert chosen(wrong) is None


MAKING = {
    "an owner makes an owner's": (Maker(Role.OWNER), Role.OWNER, NONE, None, None),
    "an admin makes an admin's": (Maker(Role.ADMIN), Role.ADMIN, NONE, None, None),
    "an admin makes no owner's": (Maker(Role.ADMIN), Role.OWNER, NONE, None, Refusal.ROLE_ABOVE),
    "a person gives any scope": (Maker(Role.ADMIN), Role.RESPONDER, INGEST, None, None),
    "a viewer's key cannot send": (Maker(Role.ADMIN), Role.VIEWER, INGEST, None, Refusal.UNUSABLE_SCOPE),
    "a key passes its scopes on": (Maker(Role.ADMIN, TWO), Role.RESPONDER, INGEST, None, None),
    "a key passes no other scope on": (
        Maker(Role.ADMIN, TWO), Role.VIEWER, frozenset({Scope.READ}), None, Refusal.SCOPES_BEYOND),
    "a key with scopes makes none without": (Maker(Role.ADMIN, TWO), Role.ADMIN, NONE, None, Refusal.SCOPES_BEYOND),
    "a key without scopes makes any": (Maker(Role.ADMIN, NONE), Role.ADMIN, NONE, None, None),
    "a key that expires makes one that expires with it": (Maker(Role.ADMIN, NONE, SOON), Role.ADMIN, NONE, SOON, None),
    "but none that outlives it": (Maker(Role.ADMIN, NONE, SOON), Role.ADMIN, NONE, LATER, Refusal.OUTLIVES),
    "nor one for ever": (Maker(Role.ADMIN, NONE, SOON), Role.ADMIN, NONE, None, Refusal.OUTLIVES),
}  # fmt: skip


@pytest.mark.parametrize("case", MAKING)
def test_making(case: str) -> None:
    maker, role, scopes, expires_at, expected = MAKING[case]
    assert may_make(maker, role, scopes, expires_at) is expected


_SCOPES = st.frozensets(st.sampled_from(Scope))
_EXPIRY = st.sampled_from([None, SOON, LATER])


@given(st.builds(Maker, st.sampled_from(Role), _SCOPES, _EXPIRY), st.sampled_from(Role), _SCOPES, _EXPIRY)
def test_whatever_is_made_may_nothing_that_its_maker_may_not(
    maker: Maker, role: Role, scopes: frozenset[Scope], expires_at: dt.datetime | None
) -> None:
    if may_make(maker, role, scopes, expires_at) is not None:
        return
    assert role.rank <= maker.role.rank
    everything = frozenset(Scope)
    assert (scopes or everything) <= (maker.scopes or everything)
    assert maker.expires_at is None or (expires_at is not None and expires_at <= maker.expires_at)


SCOPES = {
    "reading what a viewer sees": (Role.VIEWER, True, Scope.READ),
    "marking one's own notification read": (Role.VIEWER, False, Scope.RESPOND),
    "acknowledging": (Role.RESPONDER, False, Scope.RESPOND),
    "changing a rule": (Role.EDITOR, False, Scope.CONFIGURE),
    "reading the audit log": (Role.ADMIN, True, Scope.ADMIN),
    "making a key": (Role.ADMIN, False, Scope.ADMIN),
}


@pytest.mark.parametrize("case", SCOPES)
def test_an_operations_scope_follows_from_its_role(case: str) -> None:
    role, reads, expected = SCOPES[case]
    assert Scope.of(role, reads=reads) is expected
