"""When a silence is in effect: once, again and again, across the changes of the clock, and ended early."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from importlib import import_module
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_common.domain.channel import Matcher, Operator
from convex_common.domain.recurrence import FREQUENCIES, HORIZON, WEEKDAYS, Recurrence
from convex_common.domain.silence import Silence, State

UTC = dt.UTC
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: dt.tzinfo = UTC) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone)


def a_silence(starts: dt.datetime, hours: float, rrule: str | None = None, timezone: str | None = None) -> Silence:
    return Silence(
        id=uuid.UUID(int=1),
        matchers=(Matcher("host", Operator.EQUAL, "a"),),
        starts_at=starts,
        ends_at=starts + dt.timedelta(hours=hours),
        rrule=rrule,
        timezone=timezone,
    )


def test_a_silence_is_in_effect_from_its_start_and_without_its_end() -> None:
    silence = a_silence(at("2026-03-01T10:00"), 2)
    for moment, state in (
        ("2026-03-01T09:59:59", State.PENDING),
        ("2026-03-01T10:00", State.ACTIVE),
        ("2026-03-01T11:59:59", State.ACTIVE),
        ("2026-03-01T12:00", State.EXPIRED),
    ):
        assert silence.state(at(moment)) is state, moment


def test_what_recurs_lasts_as_long_each_time_on_the_wall_clock() -> None:
    nightly = a_silence(at("2026-03-27T22:00", BERLIN), 8, "FREQ=DAILY", "Europe/Berlin")
    for day, begins in (("27", "21:00"), ("28", "21:00"), ("29", "20:00"), ("30", "20:00")):  # the clock changed
        span = nightly.span(at(f"2026-03-{day}T23:30", BERLIN))
        assert span is not None
        assert span.starts_at == at(f"2026-03-{day}T{begins}")
        assert span.ends_at - span.starts_at == dt.timedelta(hours=8)
    assert nightly.span(at("2026-03-28T12:00", BERLIN)) is None
    assert nightly.next_start(at("2026-03-29T12:00", BERLIN)) == at("2026-03-29T20:00")


def test_a_time_that_the_clock_skips_or_has_twice_comes_once_a_day() -> None:
    for month, day in ((3, 28), (10, 24)):
        rule = Recurrence("FREQ=DAILY;COUNT=3", dt.datetime(2026, month, day, 2, 30, tzinfo=BERLIN), "Europe/Berlin")
        assert [one.astimezone(BERLIN).day for one in rule.times] == [day, day + 1, day + 2]


def test_a_rule_ends_with_its_count_its_until_or_after_five_years() -> None:
    monday = at("2026-01-05T08:00")
    assert len(Recurrence("FREQ=WEEKLY;BYDAY=MO,WE;COUNT=5", monday, "UTC").times) == 5
    assert Recurrence("RRULE:FREQ=DAILY;UNTIL=20260107", monday, "UTC").last == at("2026-01-07T08:00")
    assert Recurrence("FREQ=DAILY;UNTIL=20260107T075959Z", monday, "UTC").last == at("2026-01-06T08:00")
    assert Recurrence("FREQ=DAILY", monday, "UTC").last.year == 2031
    weekly = a_silence(monday, 1, "FREQ=WEEKLY;COUNT=2")
    assert weekly.over_at == at("2026-01-12T09:00")
    assert weekly.state(at("2026-01-12T09:00")) is State.EXPIRED
    assert weekly.state(at("2026-01-08T09:00")) is State.PENDING


@pytest.mark.parametrize(
    "rule",
    ["", "DAILY", "FREQ=HOURLY", "FREQ=DAILY;BYHOUR=1", "FREQ=DAILY;FREQ=DAILY", "FREQ=DAILY;COUNT=0",
     "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;UNTIL=20269999", "FREQ=DAILY;COUNT=1;UNTIL=20260101", "COUNT=1",
     "FREQ=DAILY;DTSTART=20260101", "FREQ=WEEKLY;BYDAY=XX", "FREQ=YEARLY;BYMONTH=13", "FREQ=WEEKLY;BYDAY=1MO",
     "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6", "FREQ=MONTHLY;BYMONTHDAY=0",
     "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=YEARLY;BYWEEKNO=60", "FREQ=DAILY\nDTSTART:20260101T000000"],
)  # fmt: skip
def test_what_is_no_such_rule_is_refused(rule: str) -> None:
    began = time.process_time()
    with pytest.raises(ValueError, match=r"."):
        Recurrence(rule, at("2026-01-05T08:00"), "UTC")
    assert time.process_time() - began < 5, "bounded, whatever it asks for"


def spelled(freq: str, interval: int, days: set[str], nth: int, months: set[int], dates: set[int], place: int) -> str:
    counted = nth if freq in ("MONTHLY", "YEARLY") else 0
    return ";".join(
        [f"FREQ={freq}", f"INTERVAL={interval}"]
        + ([f"BYDAY={','.join(f'{counted or str()}{day}' for day in sorted(days))}"] if days else [])
        + ([f"BYMONTH={','.join(map(str, sorted(months)))}"] if months else [])
        + ([f"BYMONTHDAY={','.join(map(str, sorted(dates)))}"] if dates and freq != "WEEKLY" else [])
        + ([f"BYSETPOS={place}"] if place and days and freq != "DAILY" else [])
    )


rules = st.builds(
    spelled,
    st.sampled_from(FREQUENCIES),
    st.integers(1, 9),
    st.sets(st.sampled_from(WEEKDAYS), max_size=3),
    st.integers(-5, 5),
    st.sets(st.integers(1, 12), max_size=3),
    st.sets(st.integers(-31, 31).filter(bool), max_size=3),
    st.integers(-3, 3),
)


@given(rule=rules, first=st.datetimes(at("2024-01-01").replace(tzinfo=None), at("2028-12-31").replace(tzinfo=None)))
def test_rules_mean_what_another_implementation_says(rule: str, first: dt.datetime) -> None:
    first = first.replace(microsecond=0)
    try:
        told = Recurrence(rule, first.replace(tzinfo=UTC), "UTC").times
    except ValueError:
        return  # never within five years, where the other would look for the next time until the year 9999
    dateutil: Any = import_module("dateutil.rrule")
    # BYSETPOS counts from the beginning of the interval (RFC 5545, 3.3.10); dateutil cuts a first week off before.
    counts_in_week = "FREQ=WEEKLY" in rule and "BYSETPOS" in rule
    begin = first - dt.timedelta(days=first.weekday()) if counts_in_week else first
    other = (one for one in dateutil.rrulestr(rule, dtstart=begin) if one >= first)
    expected = list(islice(other, len(told)))
    assert [one.replace(tzinfo=None) for one in told] == expected
    assert expected[-1] <= first + HORIZON


@given(rule=rules, hours=st.integers(0, 24 * 900), zone=st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Auckland"]))
def test_every_moment_is_in_a_span_or_before_the_next(rule: str, hours: int, zone: str) -> None:
    first = at("2026-01-31T02:30")
    try:
        silence = a_silence(first, 3, rule, zone)
        times = Recurrence(rule, first, zone).times
    except ValueError:
        return
    assert all(a < b for a, b in pairwise(times))
    now = first + dt.timedelta(hours=hours)
    begun = [one for one in times if one <= now < one + dt.timedelta(hours=3)]
    span = silence.span(now)
    assert (span is not None) == bool(begun)
    assert span is None or span.starts_at == begun[-1]
    later = [one for one in times if one > now]
    assert silence.next_start(now) == (later[0] if later else None)
