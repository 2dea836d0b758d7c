"""Forecast rules: what a look ahead means for a rule, and how it is said."""

from __future__ import annotations

from typing import Any

import pytest

from convex_common.domain import outlook
from convex_common.domain.conditions import Mark, Outcome
from convex_common.domain.outlook import Prospect
from convex_common.domain.rule import AlertType, Condition, Rule
from tests.unit.processor.world import a_rule


def a_forecast_rule(**fields: Any) -> Rule:
    usual = {"alert_type": AlertType.FORECAST, "metric": "disk", "threshold_value": 90.0, "horizon_seconds": 7200}
    return a_rule(**{**usual, "probability": 0.8, **fields})


def a_prospect(probability: float, **fields: Any) -> Prospect:
    usual = {"median": 2400.0, "early": 1800.0, "late": 3300.0, "breached": False, "model": "trend"}
    return Prospect(probability, **{**usual, **fields})


def test_between_what_fires_and_what_ends_it_nothing_changes() -> None:
    rule, mark, told = a_forecast_rule(), Mark(), []
    for probability in (0.7, 0.8, 0.6, 0.49, 0.48, 0.47):
        found = outlook.evaluate(rule, mark, a_prospect(probability))
        mark = found.mark
        told.append(found.outcome)
    nothing = Outcome.NOTHING
    assert told == [nothing, Outcome.FIRES, nothing, nothing, Outcome.CLEARS, nothing]


@pytest.mark.parametrize(
    ("prospect", "said"),
    [
        (a_prospect(0.93), "disk above 90 in about 40 min (30-55), with a probability of 93 %"),
        (a_prospect(1.0, early=2400.0, late=2400.0), "disk above 90 in about 40 min, with a probability of 99 %"),
        (a_prospect(0.9, median=9.0, early=5.0, late=20.0),
         "disk above 90 within a minute, with a probability of 90 %"),
        (a_prospect(0.9, median=18_000.0, early=14_400.0, late=28_000.0),
         "disk above 90 in about 5 h (4-8), with a probability of 90 %"),
        (a_prospect(0.9, median=None), "disk above 90, with a probability of 90 %"),
        (a_prospect(1.0, median=0.0, early=0.0, late=0.0, breached=True), "disk above 90 already"),
    ],
)  # fmt: skip
def test_it_is_said_in_a_sentence(prospect: Prospect, said: str) -> None:
    assert outlook.said(a_forecast_rule(), prospect) == said


@pytest.mark.parametrize(("horizon", "seconds"), [(60, 60.0), (7200, 144.0), (604_800, 900.0)])
def test_it_is_looked_ahead_at_a_bounded_rate(horizon: int, seconds: float) -> None:
    assert outlook.every(a_forecast_rule(horizon_seconds=horizon)) == seconds


def test_a_steady_rise_is_foreseen_and_a_level_is_not() -> None:
    rising = [(60.0 * n, 50 + 0.1 * n + (n * 7919 % 13) / 20) for n in range(360)]
    level = [(at, 50 + (n * 7919 % 13) / 20) for n, (at, _) in enumerate(rising)]
    found = outlook.foresee(a_forecast_rule(), rising)
    assert found is not None
    assert found.probability > 0.8
    assert found.median is not None
    assert 20 * 60 < found.median < 60 * 60, "40 minutes in truth"
    calm = outlook.foresee(a_forecast_rule(), level)
    assert calm is not None
    assert calm.probability < 0.1
    below = outlook.foresee(a_forecast_rule(condition=Condition.BELOW, threshold_value=40.0), level)
    assert below is not None
    assert below.probability < 0.1


def test_too_short_a_past_says_nothing_and_a_breach_says_all() -> None:
    assert outlook.foresee(a_forecast_rule(), []) is None
    assert outlook.foresee(a_forecast_rule(), [(0.0, 50.0), (60.0, 51.0)]) is None
    found = outlook.foresee(a_forecast_rule(), [(0.0, 95.0)])
    assert found is not None
    assert found.breached
