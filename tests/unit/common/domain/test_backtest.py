"""Backtests: a rule over a series' past, as the processor would have decided."""

from __future__ import annotations

import datetime as dt
import math

from hypothesis import given
from hypothesis import strategies as st

from convex_common.domain.backtest import try_out
from convex_common.domain.rule import Aggregation
from convex_common.events import Observation
from tests.unit.common.domain.test_outlook import a_forecast_rule
from tests.unit.common.domain.test_unusual import a_learning_rule
from tests.unit.processor.test_series import a_batch
from tests.unit.processor.world import FRAMEWORK, START, a_rule

DAY = 86_400.0
RHYTHM = [(600.0 * n, 20 + 5 * math.sin(n / 144 * 2 * math.pi) + (n * 7919 % 13) / 10) for n in range(3 * 144)]


@given(
    st.lists(st.sampled_from([50.0, 90.0, 99.0, 101.0, 150.0]), max_size=40),
    st.sampled_from([None, 25]),
    st.sampled_from([None, 80.0]),
)
def test_a_backtest_counts_the_episodes_that_the_processor_would_open(
    values: list[float], window: int | None, clear: float | None
) -> None:
    rule = a_rule(window_seconds=window, aggregation=Aggregation.AVG if window else None, clear_value=clear)
    batch, firing, episodes = a_batch(rule), False, 0
    for n, value in enumerate(values):
        observed = Observation(FRAMEWORK, "latency", value, {}, START + dt.timedelta(seconds=10 * n))
        for outcome in batch.observe(observed):
            fires = type(outcome).__name__ == "Fires"
            episodes += fires and not firing
            firing = fires
    trial = try_out(rule, [(10.0 * n, value) for n, value in enumerate(values)], 0.0, 1e6)
    assert len(trial.firings) == episodes
    assert bool(trial.firings and trial.firings[-1].ended is None) == firing


def test_a_hold_ends_between_two_values_and_after_the_last() -> None:
    rule = a_rule(for_seconds=60)
    (first, second) = try_out(rule, [(0.0, 150.0), (100.0, 50.0), (200.0, 150.0)], 0.0, 300.0).firings
    assert (first.began, first.ended) == (60.0, 100.0)
    assert (second.began, second.ended) == (260.0, None)
    assert len(try_out(rule, [(0.0, 150.0), (100.0, 50.0), (200.0, 150.0)], 0.0, 250.0).firings) == 1


def test_what_was_over_before_the_period_does_not_count_and_what_went_on_does() -> None:
    samples = [(0.0, 150.0), (10.0, 50.0), (20.0, 150.0), (40.0, 50.0)]
    (one,) = try_out(a_rule(), samples, 30.0, 100.0).firings
    assert (one.began, one.ended) == (20.0, 40.0)


def test_an_anomaly_rule_shows_its_band() -> None:
    samples = [*RHYTHM, (3 * DAY, 90.0), *[(3 * DAY + 600 * n, 21.0) for n in range(1, 6)]]
    trial = try_out(a_learning_rule(), samples, 2.5 * DAY, 4 * DAY)
    (one,) = trial.firings
    assert (one.began, one.value) == (3 * DAY, 90.0)
    assert one.ended is not None
    assert one.context["score"] >= 0.5
    assert trial.band[0].at >= 2.5 * DAY
    assert all(band.low <= band.expected <= band.high for band in trial.band)


def test_a_forecast_rule_is_tried_from_moments_of_the_period() -> None:
    rising = [(60.0 * n, 50 + 0.1 * n + (n * 7919 % 13) / 20) for n in range(360)]
    trial = try_out(a_forecast_rule(), rising, 10_800.0, 21_600.0)
    (one,) = trial.firings
    assert 10_800 < one.began < 21_600
    assert "why" in one.context
