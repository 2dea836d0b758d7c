"""Permits held in advance."""

from __future__ import annotations

from convex_gateway.limits.permits import AT_LIMIT_SECONDS, LEASE_SECONDS, PATIENCE, PATIENCE_AT_LIMIT, permits_of


def test_what_is_held_is_used_up_and_runs_out() -> None:
    permits = permits_of(500)
    assert not permits.take(1, now=0)
    permits.refill(3, now=0)
    assert permits.take(2, now=0.1)
    assert not permits.take(2, now=0.1), "one is left"
    assert permits.missing(2, now=0.1) == 1
    assert permits.missing(2, now=LEASE_SECONDS) == 2, "it has run out"
    assert not permits.take(1, now=LEASE_SECONDS)
    permits.refill(1, now=LEASE_SECONDS)
    assert permits.held == 1


def test_a_refill_adds_to_what_is_still_good() -> None:
    permits = permits_of(500)
    permits.refill(3, now=0)
    permits.refill(3, now=0.5)
    assert permits.take(6, now=LEASE_SECONDS + 0.4)


def test_half_a_second_is_held_in_advance_and_no_more_than_a_share_of_the_rate() -> None:
    permits = permits_of(1000)
    assert permits.most == 20
    assert permits.wanted(1, now=0) == 1
    assert permits.wanted(50, now=0) == 50, "what is needed now is not held"
    permits.refill(20, now=0)
    assert permits.take(4, now=0.5)
    assert permits.wanted(1, now=0.5) == 4, "eight a second"
    assert not permits.is_low
    assert permits.take(7, now=0.5)
    assert permits.is_low
    assert permits.wanted(1, now=0.5) == 11
    assert permits.take(9, now=0.5)
    assert permits.wanted(1, now=0.5) == 20


def test_a_refusal_is_known_until_it_is_over() -> None:
    permits = permits_of(1)
    permits.refuse(wait=2, tightest=1, now=10)
    assert (permits.refusal(now=11), permits.refusal(now=12.5)) == (1, 0)


def test_who_was_refused_of_late_can_wait() -> None:
    permits = permits_of(1)
    assert permits.patience(now=10) == PATIENCE
    permits.refuse(wait=2, tightest=0, now=10)
    assert permits.patience(now=12) == PATIENCE_AT_LIMIT
    assert permits.patience(now=12 + AT_LIMIT_SECONDS) == PATIENCE


def test_a_second_is_owed_at_most() -> None:
    permits = permits_of(100)
    permits.owe(60)
    permits.owe(60)
    assert permits.owed == 100
