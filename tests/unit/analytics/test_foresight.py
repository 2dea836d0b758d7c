"""What is foretold of histories of many habits: better than plain rates, bounded, and explained."""

from __future__ import annotations

import datetime as dt
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convex_analytics.domain.foresight.foresight import Kind, Report, Risk, foretell, risk_of
from convex_analytics.domain.foresight.history import DAYS, Counts, History, NoisyRule, Recommended, threshold
from tests.bench.predictions import bins, brier, simulate

MONDAY = dt.datetime(2026, 3, 9, 3, tzinfo=dt.UTC)
HOURS = DAYS * 24


def history(alerts: Counts, critical: Counts | None = None) -> History:
    return History(MONDAY, alerts, np.zeros_like(alerts) if critical is None else critical)


def chances(report: Report, kind: Kind) -> list[float]:
    return [one.probability for one in report.predictions if one.kind is kind]


def some(*places: int, count: int = 1, hours: int = HOURS) -> Counts:
    """Alerts so many hours ago."""
    alerts = np.zeros(hours, dtype=np.int64)
    for place in places:
        alerts[hours - 1 - place] += count
    return alerts


@pytest.mark.long
def test_better_than_plain_rates_over_a_simulated_month() -> None:
    scored = simulate(frameworks=1, seed=3)
    ours, base, of_hour = brier(scored)
    assert ours < 0.95 * base
    assert ours < of_hour
    next_alert = brier([one for one in scored if one.kind is Kind.NEXT_ALERT])
    assert next_alert[0] < min(next_alert[1:])
    for said, came, count in bins(scored):  # days and weeks overlap: some fifty of one framework are a few surprises
        assert count < 100 or abs(said - came) < 0.15, "what is said at so many per cent comes about as often"


@pytest.mark.parametrize(
    ("alerts", "lowest", "highest"),
    [
        pytest.param(np.zeros(0, dtype=np.int64), 0.2, 0.7, id="nothing known: about the general expectation"),
        pytest.param(some(), 0.0, 0.3, id="eight quiet weeks"),
        pytest.param(some(900), 0.0, 0.3, id="one alert, long ago"),
        pytest.param(some(0, hours=1), 0.1, 0.98, id="one hour, one alert"),
        pytest.param(some(*range(1000, 1012), count=500), 0.0, 0.4, id="a burst, long ago"),
        pytest.param(some(*range(12), count=500), 0.5, 1.0, id="a burst, now"),
        pytest.param(some(*range(23, HOURS, 24)), 0.97, 1.0, id="all at one hour, day after day"),
        pytest.param(np.full(HOURS, 10**9, dtype=np.int64), 0.98, 1.0, id="every hour, very many"),
    ],
)
def test_an_alert_within_a_week(alerts: Counts, lowest: float, highest: float) -> None:
    assert lowest <= chances(foretell(history(alerts)), Kind.NEXT_ALERT)[-1] <= highest


def test_what_comes_every_day_at_one_hour_is_expected_then_and_not_before() -> None:
    """At 03:00, of alerts that open between 04:00 and 05:00."""
    report = foretell(history(some(*range(22, HOURS, 24))))
    within_an_hour, within_four, within_a_day, _ = chances(report, Kind.NEXT_ALERT)
    assert within_an_hour < 0.2 < 0.85 < within_four <= within_a_day
    first = report.predictions[0]
    assert first.expected_at is not None
    assert dt.timedelta(hours=1) <= first.expected_at - MONDAY <= dt.timedelta(hours=2)
    assert report.evidence.busiest_hour is not None
    assert report.evidence.busiest_hour % 24 == 4


def test_a_weekly_rhythm_is_told_from_a_daily_one() -> None:
    mondays = foretell(history(some(*range(166, HOURS, 168))))
    every_day = foretell(history(some(*range(22, HOURS, 24))))
    assert mondays.evidence.busiest_hour == 4, "Monday"
    assert chances(mondays, Kind.NEXT_ALERT)[1] < chances(every_day, Kind.NEXT_ALERT)[1]


def test_an_hour_beyond_what_is_usual() -> None:
    alerts = np.ones(HOURS, dtype=np.int64) * 3
    assert threshold(alerts) == 3
    assert threshold(some(5, count=100)) == 2, "one burst is not usual"
    quiet, loud = foretell(history(alerts)), foretell(history(alerts + some(*range(3), count=50)))
    assert chances(quiet, Kind.ANOMALY)[2] < chances(loud, Kind.ANOMALY)[2]


def test_criticals_raise_the_risk_of_more() -> None:
    alerts = some(*range(0, HOURS, 6))
    none, many = foretell(history(alerts)), foretell(history(alerts, alerts))
    assert chances(none, Kind.ESCALATION)[3] < 0.3 < 0.9 < chances(many, Kind.ESCALATION)[3]
    assert [one.risk for one in many.predictions if one.kind is Kind.ESCALATION][3] is Risk.CRITICAL


@settings(max_examples=40, deadline=None)
@given(
    hours=st.integers(0, 400),
    places=st.lists(st.tuples(st.integers(0, 399), st.integers(1, 10**6)), max_size=30),
    minute=st.integers(0, 59),
)
def test_of_any_history_probabilities_are_bounded_and_grow_with_time(
    hours: int, places: list[tuple[int, int]], minute: int
) -> None:
    alerts = np.zeros(hours, dtype=np.int64)
    for place, count in places:
        if place < hours:
            alerts[place] += count
    report = foretell(History(MONDAY + dt.timedelta(minutes=minute), alerts, alerts // 2))
    assert len(report.predictions) == len(Kind) * 4
    for kind in Kind:
        found = chances(report, kind)
        assert all(0 < chance < 1 for chance in found)
        assert all(shorter <= longer for shorter, longer in itertools.pairwise(found))
    for one in report.predictions:
        times = [at for at in (one.expected_from, one.expected_at, one.expected_to) if at is not None]
        assert times == sorted(times)
        assert all(at >= MONDAY for at in times)
        assert one.reason
    assert report.reasoning


def test_the_words_name_what_the_figures_show() -> None:
    alerts = some(*range(22, HOURS, 24)) + some(0, 1, 2, 3, 4, 5)
    found = History(
        MONDAY, alerts, alerts, (NoisyRule("disk", 8), NoisyRule("cpu", 1)), (Recommended("It is noisy.", "Raise it."),)
    )
    report = foretell(found)
    told = " ".join(report.reasoning)
    for words in ("13 alerts opened in the last 7 days", "04:00–05:00 UTC", "62 of 62 alerts", "less than an hour ago"):
        assert words in told
    actions = [str(action["action"]) for action in report.actions]
    assert "the rule disk first" in actions[0]
    assert "Raise it." in actions
    assert any("04:00–05:00 UTC" in action for action in actions)


def test_of_nothing_little_is_said() -> None:
    report = foretell(history(np.zeros(0, dtype=np.int64)))
    assert report.actions == []
    assert "little is claimed" in report.reasoning[0]
    assert "general expectation" in report.predictions[0].reason


@pytest.mark.parametrize(
    ("kind", "probability", "risk"),
    [
        (Kind.NEXT_ALERT, 0.29, Risk.LOW),
        (Kind.NEXT_ALERT, 0.3, Risk.MEDIUM),
        (Kind.NEXT_ALERT, 0.998, Risk.HIGH),
        (Kind.ESCALATION, 0.14, Risk.LOW),
        (Kind.ESCALATION, 0.4, Risk.HIGH),
        (Kind.ANOMALY, 0.75, Risk.CRITICAL),
    ],
)
def test_levels_of_risk(kind: Kind, probability: float, risk: Risk) -> None:
    assert risk_of(kind, probability) is risk


def test_a_history_whose_counts_do_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="as many hours"):
        history(np.zeros(3, dtype=np.int64), np.zeros(4, dtype=np.int64))
