"""A day in figures: tables of what happened and what is to be counted."""

from __future__ import annotations

import datetime as dt
import statistics
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_analytics import jobs, predictions
from convex_analytics.domain.daily import (
    Durations,
    Occurrences,
    Opened,
    Responded,
    Response,
    percentile,
    previous_day,
    summarize,
)
from convex_common.postgres.job_runner import JobRefused

SHOP, BANK = uuid.UUID(int=1), uuid.UUID(int=2)
ACK, RESOLVED = Response.ACKNOWLEDGED, Response.RESOLVED


@pytest.mark.parametrize(
    ("slot", "day"),
    [
        pytest.param("2026-03-10T02:00:00+00:00", "2026-03-09", id="the day before"),
        pytest.param("2026-03-10T00:00:00+00:00", "2026-03-09", id="at midnight"),
        pytest.param("2026-03-10T00:30:00+02:00", "2026-03-08", id="by UTC, not by the zone it is written in"),
        pytest.param("2027-01-01T02:00:00+00:00", "2026-12-31", id="new year"),
    ],
)
def test_the_day_of_a_slot(slot: str, day: str) -> None:
    assert previous_day(dt.datetime.fromisoformat(slot)).isoformat() == day


@pytest.mark.parametrize(
    ("seconds", "avg", "p50", "p95"),
    [
        pytest.param([], None, None, None, id="nothing measured"),
        pytest.param([4.0], 4.0, 4.0, 4.0, id="one"),
        pytest.param([1.0, 3.0], 2.0, 2.0, 2.9, id="between two"),
        pytest.param([30.0, 10.0, 20.0], 20.0, 20.0, 29.0, id="in any order"),
        pytest.param([-0.5, 0.5], 0.25, 0.25, 0.475, id="a clock that stepped back is no time at all"),
    ],
)
def test_durations(seconds: list[float], avg: float | None, p50: float | None, p95: float | None) -> None:
    assert Durations.of(seconds).as_json() == {"avg": avg, "p50": p50, "p95": p95}


@given(st.lists(st.floats(0, 1e6), min_size=2))
def test_percentiles_are_those_of_the_statistics_module(values: list[float]) -> None:
    ordered = sorted(values)
    cuts = statistics.quantiles(ordered, n=100, method="inclusive")
    for place in (50, 95):
        assert percentile(ordered, place / 100) == pytest.approx(cuts[place - 1], rel=1e-9, abs=1e-6)


def test_a_quiet_day_has_no_rows() -> None:
    assert summarize([], [], []) == []


def test_each_framework_is_counted_for_itself() -> None:
    shop, bank = summarize(
        [
            Opened(BANK, "critical", "absence", 1),
            Opened(SHOP, "warning", "threshold", 2),
            Opened(SHOP, "info", "threshold", 1),
        ],
        [Occurrences(SHOP, 40), Occurrences(BANK, 1)],
        [Responded(SHOP, ACK, 10.0), Responded(SHOP, ACK, 20.0), Responded(SHOP, RESOLVED, 60.0)],
    )
    assert (shop.framework_id, shop.alerts, shop.occurrences, shop.acknowledged, shop.resolved) == (SHOP, 3, 40, 2, 1)
    assert shop.by_severity == {"info": 1, "warning": 2, "error": 0, "critical": 0}
    assert shop.by_type == {"threshold": 3}
    assert shop.acknowledge_seconds == Durations(15.0, 15.0, 19.5)
    assert shop.resolve_seconds == Durations(60.0, 60.0, 60.0)
    assert (bank.framework_id, bank.alerts, bank.occurrences, bank.acknowledged, bank.resolved) == (BANK, 1, 1, 0, 0)
    assert bank.acknowledge_seconds == Durations()


def test_a_resolve_alone_makes_a_row() -> None:
    (shop,) = summarize([], [], [Responded(SHOP, RESOLVED, 90000.0)])
    assert (shop.alerts, shop.occurrences, shop.resolved) == (0, 0, 1)
    assert shop.by_severity == {"info": 0, "warning": 0, "error": 0, "critical": 0}


def test_jobs_that_do_not_exist_are_refused_by_name() -> None:
    with pytest.raises(JobRefused, match="nonsense: there is no such analytics job; known are a, b"):
        jobs.analytics({"b": lambda lease: {}, "a": lambda lease: {}})("nonsense")
    with pytest.raises(JobRefused, match="nonsense: there is no such prediction job; known are predictions"):
        jobs.prediction({predictions.NAME: lambda lease: {}})("nonsense")
