"""Counts by buckets, and what can be asked of them, held against the values themselves."""

from __future__ import annotations

import math
from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_common.domain.distribution import BUCKETS, Distribution, merged

LATENCIES = st.lists(st.floats(0, 20_000, allow_nan=False), min_size=1, max_size=200)
SHARES = st.sampled_from([0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0])


def of(values: list[float]) -> Distribution:
    made = Distribution()
    for value in values:
        made.add(value)
    return made


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([1.0] * 10, 0.5, 2.5),
        ([1.0] * 10, 1.0, 5.0),
        ([3.0] * 50 + [7.0] * 50, 0.5, 5.0),
        ([3.0] * 50 + [7.0] * 50, 0.75, 7.5),
        ([60.0] * 95 + [600.0] * 5, 0.95, 75.0),
        ([60.0] * 95 + [600.0] * 5, 0.97, 700.0),
        ([9_000.0], 0.5, 5_000.0),
        ([-3.0], 1.0, 5.0),
    ],
    ids=[
        "half of one bucket",
        "all of it",
        "border",
        "inside the second",
        "p95 at a border",
        "beyond",
        "overflow",
        "clocks",
    ],
)
def test_quantiles_by_hand(values: list[float], share: float, expected: float) -> None:
    assert of(values).quantile(share) == pytest.approx(expected)


def test_nothing_has_no_figures() -> None:
    assert (Distribution().count, Distribution().mean, Distribution().quantile(0.5)) == (0, None, None)


@given(LATENCIES, SHARES)
def test_a_quantile_lies_in_the_bucket_of_the_true_one(values: list[float], share: float) -> None:
    true = sorted(values)[math.ceil(share * len(values)) - 1]
    found = of(values).quantile(share)
    assert found is not None
    place = bisect_left(BUCKETS, true)
    lower = BUCKETS[place - 1] if place else 0.0
    assert lower <= found <= min(BUCKETS[place], BUCKETS[-2])


@given(LATENCIES)
def test_quantiles_rise_and_the_mean_is_exact(values: list[float]) -> None:
    made = of(values)
    quantiles = [made.quantile(share) or 0.0 for share in (0.01, 0.5, 0.95, 0.99, 1.0)]
    assert quantiles == sorted(quantiles)
    assert made.count == len(values)
    assert made.mean == pytest.approx(math.fsum(values) / len(values), abs=0.001)


@given(st.lists(LATENCIES, max_size=5))
def test_merged_parts_are_as_the_whole(parts: list[list[float]]) -> None:
    assert merged(map(of, parts)) == of([value for part in parts for value in part])
