"""The cell rate algorithm: never more than its bound, never less than its rate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_common.domain.rate import Rate, decide, left

RATE = Rate(per_second=10, burst=5)

CASES = {
    "the first of a full bucket": (0.0, 100.0, 1, True, 0.0),
    "the whole burst at once": (0.0, 100.0, 5, True, 0.0),
    "one when empty": (100.5, 100.0, 1, False, 0.1),
    "three when empty": (100.5, 100.0, 3, False, 0.3),
    "one when one has come back": (100.4, 100.0, 1, True, 0.0),
    "more than the burst when full": (0.0, 100.0, 20, True, 0.0),
    "more than the burst when not full": (100.1, 100.0, 20, False, 0.1),
}


@pytest.mark.parametrize("case", CASES)
def test_cases(case: str) -> None:
    full_at, now, cost, allowed, wait = CASES[case]
    decision = decide(RATE, full_at, now, cost)
    assert decision.allowed is allowed
    assert decision.wait == pytest.approx(wait)


def test_a_large_request_is_paid_off_afterwards() -> None:
    paid = decide(RATE, 0.0, 100.0, 20)
    assert paid.full_at == pytest.approx(102.0)
    assert left(RATE, paid.full_at, 100.0) == pytest.approx(-15)
    assert decide(RATE, paid.full_at, 100.0, 1).wait == pytest.approx(1.6)


@given(
    per_second=st.floats(0.1, 1000),
    burst=st.integers(1, 100),
    requests=st.lists(st.tuples(st.floats(0, 0.5), st.integers(1, 100)), max_size=60),
)
def test_no_window_admits_more_than_the_burst_and_the_rate(
    per_second: float, burst: int, requests: list[tuple[float, int]]
) -> None:
    rate, now, full_at = Rate(per_second, burst), 1000.0, 0.0
    admitted: list[tuple[float, int]] = []
    for gap, asked in requests:
        now += gap
        cost = min(asked, burst)
        decision = decide(rate, full_at, now, cost)
        full_at = decision.full_at
        if decision.allowed:
            admitted.append((now, cost))
        else:
            assert decide(rate, full_at, now + decision.wait + 1e-6, cost).allowed
            assert not decide(rate, full_at, now + decision.wait * 0.9 - 1e-6, cost).allowed
    for first in range(len(admitted)):
        total = 0
        for at, cost in admitted[first:]:
            total += cost
            assert total <= (burst + per_second * (at - admitted[first][0])) * (1 + 1e-6) + 1e-6
