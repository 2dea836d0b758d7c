"""A day in figures: tables of what happened and what is to be counted."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from convex_analytics import jobs, predictions
from convex_analytics.domain.daily import Durations, Occurrences, Response, Took, previous_day, summarize
from convex_analytics.domain.quarters import Opened
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


def opened(framework_id: uuid.UUID, severity: str, alert_type: str, alerts: int, *, hour: int = 10) -> Opened:
    at = dt.datetime(2026, 3, 9, hour, tzinfo=dt.UTC)
    return Opened(framework_id, at, severity, alert_type, None, alerts, alerts, 0, 0, 0, 0)


def test_a_quiet_day_has_no_rows() -> None:
    assert summarize([], [], []) == []


def test_each_framework_is_counted_for_itself() -> None:
    shop, bank = summarize(
        [
            opened(BANK, "critical", "absence", 1),
            opened(SHOP, "warning", "threshold", 1),
            opened(SHOP, "warning", "threshold", 1, hour=11),
            opened(SHOP, "info", "threshold", 1),
        ],
        [Occurrences(SHOP, 40), Occurrences(BANK, 1)],
        [Took(SHOP, ACK, 2, 15.0001, 14.9999, 19.5), Took(SHOP, RESOLVED, 1, 60.0, 60.0, 60.0)],
    )
    assert (shop.framework_id, shop.alerts, shop.occurrences, shop.acknowledged, shop.resolved) == (SHOP, 3, 40, 2, 1)
    assert shop.by_severity == {"info": 1, "warning": 2, "error": 0, "critical": 0}
    assert shop.by_type == {"threshold": 3}
    assert shop.acknowledge_seconds == Durations(15.0, 15.0, 19.5)
    assert shop.resolve_seconds == Durations(60.0, 60.0, 60.0)
    assert (bank.framework_id, bank.alerts, bank.occurrences, bank.acknowledged, bank.resolved) == (BANK, 1, 1, 0, 0)
    assert bank.acknowledge_seconds == Durations()


def test_a_resolve_alone_makes_a_row() -> None:
    (shop,) = summarize([], [], [Took(SHOP, RESOLVED, 1, 90000.0, 90000.0, 90000.0)])
    assert (shop.alerts, shop.occurrences, shop.resolved) == (0, 0, 1)
    assert shop.by_severity == {"info": 0, "warning": 0, "error": 0, "critical": 0}


def test_jobs_that_do_not_exist_are_refused_by_name() -> None:
    with pytest.raises(JobRefused, match="nonsense: there is no such analytics job; known are a, b"):
        jobs.analytics({"b": lambda lease: {}, "a": lambda lease: {}})("nonsense")
    with pytest.raises(JobRefused, match="nonsense: there is no such prediction job; known are predictions"):
        jobs.prediction({predictions.NAME: lambda lease: {}})("nonsense")
