"""Days, weeks and months of time zones: clocks that change, half hours, and nothing counted twice."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_common.domain.calendar import Bucket, before, bounds

HOUR = dt.timedelta(hours=1)
QUARTER = dt.timedelta(minutes=15)
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Africa/Cairo",
    "Pacific/Chatham",
]


def day_of(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("where", "day", "hours"),
    [
        pytest.param("Europe/Berlin", "2026-03-28", 24, id="a usual day"),
        pytest.param("Europe/Berlin", "2026-03-29", 23, id="clocks go forward"),
        pytest.param("Europe/Berlin", "2026-10-25", 25, id="clocks go back"),
        pytest.param("Australia/Lord_Howe", "2026-10-04", 23.5, id="clocks go forward by half an hour"),
        pytest.param("America/Santiago", "2026-09-06", 23, id="midnight is skipped"),
        pytest.param("Africa/Cairo", "2026-10-29", 25, id="the last hour of a day is told twice"),
    ],
)
def test_how_long_a_day_is(where: str, day: str, hours: float) -> None:
    start, end = bounds(Bucket.DAY, day_of(day), day_of(day), ZoneInfo(where))
    assert (end - start) / HOUR == hours


def test_half_hour_zones_begin_their_days_at_half_past() -> None:
    start, _ = bounds(Bucket.DAY, day_of("2026-03-10"), day_of("2026-03-10"), ZoneInfo("Asia/Kolkata"))
    assert start == dt.datetime(2026, 3, 9, 18, 30, tzinfo=dt.UTC)


def test_weeks_begin_on_mondays_and_months_on_their_first_day() -> None:
    utc = ZoneInfo("UTC")
    weeks = bounds(Bucket.WEEK, day_of("2026-03-04"), day_of("2026-03-18"), utc)
    assert [at.date().isoformat() for at in weeks] == ["2026-03-04", "2026-03-09", "2026-03-16", "2026-03-19"]
    months = bounds(Bucket.MONTH, day_of("2026-01-15"), day_of("2026-03-02"), utc)
    assert [at.date().isoformat() for at in months] == ["2026-01-15", "2026-02-01", "2026-03-01", "2026-03-03"]


def test_the_period_before_is_as_long() -> None:
    assert before(day_of("2026-03-08"), day_of("2026-03-14")) == (day_of("2026-03-01"), day_of("2026-03-07"))


@given(
    st.sampled_from(ZONES),
    st.sampled_from(Bucket),
    st.dates(dt.date(2020, 1, 1), dt.date(2030, 1, 1)),
    st.integers(0, 40),
)
def test_buckets_follow_one_another_in_whole_quarters(where: str, bucket: Bucket, first: dt.date, length: int) -> None:
    last = first + dt.timedelta(days=length)
    found = bounds(bucket, first, last, ZoneInfo(where))
    days = bounds(Bucket.DAY, first, last, ZoneInfo(where))
    assert (found[0], found[-1]) == (days[0], days[-1])
    for at, after in pairwise(found):
        assert at < after
        assert at.timestamp() % QUARTER.total_seconds() == 0
        if bucket is Bucket.HOUR:
            assert after - at <= HOUR
