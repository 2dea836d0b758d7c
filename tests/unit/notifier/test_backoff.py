"""Waits between attempts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_notifier.domain.backoff import Backoff


@pytest.mark.parametrize(
    ("failures", "least", "most"),
    [(1, 1, 2), (2, 10, 20), (3, 40, 80), (4, 160, 320), (5, 300, 600), (50, 300, 600)],
)
def test_a_wait_lies_between_its_bounds(failures: int, least: float, most: float) -> None:
    backoff = Backoff()
    assert backoff.wait(failures, 0.0) == pytest.approx(least)
    assert least < backoff.wait(failures, 0.5) < most
    assert backoff.wait(failures, 0.999999) == pytest.approx(most, rel=1e-5)


def test_what_the_other_side_asked_for_wins_only_if_it_is_longer() -> None:
    assert Backoff().wait(1, 0.0, retry_after=30) == 30
    assert Backoff().wait(3, 0.0, retry_after=5) == 40


@given(st.integers(1, 40), st.floats(0, 1, exclude_max=True))
def test_no_wait_is_longer_than_the_longest(failures: int, chance: float) -> None:
    assert 0 < Backoff(base=5, longest=600).wait(failures, chance) <= 600
