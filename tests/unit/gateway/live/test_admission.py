"""Limits per person, workspace and address, and how fast."""

from __future__ import annotations

import uuid

from convex_gateway.live.admission import Admission, Refusal

W = uuid.UUID(int=1)


def test_zero_is_no_limit() -> None:
    admission = Admission(max_per_user=0, max_per_address=0, connect_rate=0)
    assert {admission.arrive("a", 0.0) for _ in range(1_000)} == {None}
    assert {admission.sign_in(W, "u") for _ in range(1_000)} == {None}


def test_per_user_and_given_back() -> None:
    admission = Admission(max_per_user=2)
    assert [admission.sign_in(W, "u") for _ in range(3)] == [None, None, Refusal.USER_FULL]
    assert admission.sign_in(W, "v") is None
    assert admission.sign_in(uuid.UUID(int=2), "u") is None
    admission.sign_out(W, "u")
    assert [admission.sign_in(W, "u") for _ in range(2)] == [None, Refusal.USER_FULL]


def test_per_workspace_and_given_back() -> None:
    admission = Admission(max_per_workspace=2)
    assert [admission.sign_in(W, user) for user in "uvw"] == [None, None, Refusal.WORKSPACE_FULL]
    assert admission.sign_in(uuid.UUID(int=2), "u") is None
    admission.sign_out(W, "u")
    assert [admission.sign_in(W, user) for user in "wx"] == [None, Refusal.WORKSPACE_FULL]


def test_per_address_and_given_back() -> None:
    admission = Admission(max_per_address=1)
    assert [admission.arrive("a", 0.0), admission.arrive("a", 0.0), admission.arrive("b", 0.0)] == [
        None,
        Refusal.ADDRESS_FULL,
        None,
    ]
    admission.leave("a")
    assert admission.arrive("a", 0.0) is None


def test_rate_by_address() -> None:
    admission = Admission(connect_rate=2)
    assert [admission.arrive("a", 10.0) for _ in range(3)] == [None, None, Refusal.TOO_FAST]
    assert admission.arrive("b", 10.0) is None
    assert admission.arrive("a", 10.5) is None
    assert admission.arrive("a", 10.5) is Refusal.TOO_FAST
    assert [admission.arrive("a", 60.0) for _ in range(3)] == [None, None, Refusal.TOO_FAST]


def test_addresses_are_forgotten_when_they_are_many() -> None:
    admission = Admission(connect_rate=1)
    for number in range(25_000):
        admission.arrive(str(number), number / 1000)
    assert len(admission._buckets) <= 10_001
