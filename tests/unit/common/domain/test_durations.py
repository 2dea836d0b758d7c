"""Sketches of durations: what was put together tells the same as what was counted together, within 1 %."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_common.domain.durations import SHORTEST, Durations, bucket_of, seconds_of
from convex_common.domain.figures import Figures, total

SECONDS = st.floats(0, 30 * 86400)


def sketch(values: list[float]) -> Durations:
    buckets: dict[int, int] = {}
    for value in values:
        buckets[bucket_of(value)] = buckets.get(bucket_of(value), 0) + 1
    return Durations(len(values), sum(values), buckets)


@given(st.lists(st.lists(SECONDS, max_size=40), min_size=1, max_size=5), st.sampled_from([0.01, 0.5, 0.95, 1.0]))
def test_percentiles_of_what_was_put_together(parts: list[list[float]], fraction: float) -> None:
    whole = total(Figures(acknowledged=sketch(part)) for part in parts).acknowledged
    values = sorted(value for part in parts for value in part)
    found = whole.percentile(fraction)
    if not values:
        assert (found, whole.mean) == (None, None)
        return
    true = max(SHORTEST, values[max(1, math.ceil(fraction * len(values))) - 1])
    assert found == pytest.approx(true, rel=0.0101, abs=0.0011)
    assert whole.mean == pytest.approx(sum(values) / len(values), abs=0.001)


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.5, 1.0, 59.99, 3600, 2.6e6])
def test_a_bucket_stands_within_a_hundredth_of_what_it_holds(seconds: float) -> None:
    assert seconds_of(bucket_of(seconds)) == pytest.approx(max(seconds, SHORTEST), rel=0.0101)
