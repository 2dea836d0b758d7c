"""Planted truth: what is there is found, and what is not there is not."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from convex_analytics.domain.patterns.find import find
from convex_analytics.domain.patterns.history import DAY, Episode, history
from convex_analytics.domain.patterns.pairs import pairs
from convex_analytics.domain.patterns.pattern import Kind
from convex_common.domain.severity import Severity
from tests.bench.patterns import INDEPENDENT, false_pairs, named
from tests.support.planted import SINCE, UNTIL, Times, anytime, episodes, planted, subject, with_rhythm


def found(alerts: list[Episode]) -> set[tuple[str, tuple[int, ...]]]:
    return {named(one) for one in find(history(alerts, UNTIL, dt.UTC))}


def scored(seeds: range) -> tuple[float, float]:
    right = told = true = 0
    for seed in seeds:
        case = planted(seed)
        got = found(case.episodes)
        right, told, true = right + len(got & case.truth), told + len(got), true + len(case.truth)
    return right / told, right / true


def test_precision_and_recall() -> None:
    precision, recall = scored(range(2))
    assert precision >= 0.9
    assert recall >= 0.9


@pytest.mark.long
def test_precision_and_recall_of_many() -> None:
    precision, recall = scored(range(100, 140))
    assert precision >= 0.9
    assert recall >= 0.9


@pytest.mark.parametrize("sort", list(INDEPENDENT))
def test_independent_series_make_no_pair(sort: str) -> None:
    assert sum(false_pairs(seed, INDEPENDENT[sort], count=60) > 0 for seed in range(3)) == 0


@pytest.mark.long
@pytest.mark.parametrize("sort", list(INDEPENDENT))
def test_independent_series_make_no_pair_over_many_seeds(sort: str) -> None:
    assert sum(false_pairs(seed, INDEPENDENT[sort]) > 0 for seed in range(200)) <= 20


def test_one_bad_night_is_no_season() -> None:
    random = np.random.default_rng(1)
    night = 20 * DAY + random.uniform(0, 3600 * 3, 60)
    assert found(episodes(subject(1), np.concatenate((night, anytime(random, 8))), random)) == set()


def test_bad_weeks_in_common_make_no_pair() -> None:
    """Two rules that fire ten times as often in the same three days, each when it likes."""
    random = np.random.default_rng(2)
    worse = [np.concatenate((anytime(random, 20), random.uniform(20 * DAY, 23 * DAY, 60))) for _ in range(2)]
    alerts = [one for i, onsets in enumerate(worse) for one in episodes(subject(i), onsets, random)]
    assert pairs(history(alerts, UNTIL, dt.UTC).strands) == []


def test_a_weekday_in_common_makes_no_pair() -> None:
    random = np.random.default_rng(3)

    def mondays() -> Times:
        return (np.arange(8)[:, None] * 7 * DAY + random.uniform(3 * 3600, 9 * 3600, (8, 6))).ravel()

    alerts = [one for i in range(10) for one in episodes(subject(i), mondays(), random)]
    assert pairs(history(alerts, UNTIL, dt.UTC).strands) == []


def test_of_one_outage_with_many_rules_every_rule_is_named_once() -> None:
    random = np.random.default_rng(4)
    outages = anytime(random, 40)
    alerts = [
        one for i in range(8) for one in episodes(subject(i), outages + random.uniform(0, 90, len(outages)), random)
    ]
    assert len(pairs(history(alerts, UNTIL, dt.UTC).strands)) == 7


def test_a_season_is_told_by_the_wall_clock_across_a_change_of_the_clocks() -> None:
    """Nine in Berlin is eight by UTC in winter and seven in summer; the clocks change on 29 March."""
    zone = ZoneInfo("Europe/Berlin")
    until = dt.datetime(2026, 4, 27, 6, tzinfo=dt.UTC)
    alerts = [
        Episode(
            subject=subject(1),
            triggered_at=dt.datetime(2026, 3, 3, 9, day % 3, tzinfo=zone) + dt.timedelta(days=day),
            resolved_at=None,
            severity=Severity.WARNING,
        )
        for day in range(55)
    ]
    (pattern,) = [one for one in find(history(alerts, until, zone)) if one.kind is Kind.SEASONAL]
    evidence = pattern.evidence
    assert (evidence["start_seconds"], evidence["width_seconds"]) in ((9 * 3600, 3600), (8.5 * 3600, 3600))
    assert evidence["by_hour"][9] == 55
    assert evidence["share"] == 1


def test_a_direction_needs_an_order() -> None:
    random = np.random.default_rng(5)
    lead = anytime(random, 60)
    after = episodes(subject(0), lead, random) + episodes(subject(1), lead + 240, random)
    (pair,) = [one for one in find(history(after, UNTIL, dt.UTC)) if one.lead]
    assert (pair.kind, pair.lead, pair.subject) == (Kind.TRIGGERED_BY, subject(0), subject(1))
    assert pair.evidence["lag_seconds"]["p50"] == pytest.approx(240, abs=1)
    together = episodes(subject(0), lead, random) + episodes(subject(1), lead + random.normal(0, 60, len(lead)), random)
    (pair,) = [one for one in find(history(together, UNTIL, dt.UTC)) if one.lead]
    assert pair.kind is Kind.CORRELATED


@pytest.mark.parametrize("alerts", [[], episodes(subject(1), np.array([5.0]), np.random.default_rng(1))])
def test_next_to_nothing_has_no_patterns(alerts: list[Episode]) -> None:
    assert find(history(alerts, UNTIL, dt.UTC)) == []


def test_figures_are_the_same_again_and_in_any_order() -> None:
    case = planted(7, quiet=5)
    once = find(history(case.episodes, UNTIL, dt.UTC))
    assert find(history(list(reversed(case.episodes)), UNTIL, dt.UTC)) == once
    assert len({one.key for one in once}) == len(once)


def test_only_the_newest_weeks_count() -> None:
    random = np.random.default_rng(6)
    old = [
        Episode(
            subject=one.subject,
            triggered_at=one.triggered_at - dt.timedelta(days=70),
            resolved_at=None,
            severity=one.severity,
        )
        for one in episodes(subject(1), with_rhythm(random, 100), random)
    ]
    assert max(one.triggered_at for one in old) < SINCE
    assert find(history(old, UNTIL, dt.UTC)) == []
