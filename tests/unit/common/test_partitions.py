"""Partitions wanted at any time lie side by side, without gaps and without overlaps."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_common.postgres.partitions import TABLES, PartitionedTable, over, wanted

tables = st.sampled_from(TABLES)
times = st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001


@given(tables, times)
def test_now_is_in_the_first_and_the_others_follow_it(table: PartitionedTable, now: dt.datetime) -> None:
    slices = wanted(table, now)
    assert len(slices) == table.ahead + 1
    assert slices[0].start <= now < slices[0].end
    assert all(a.end == b.start for a, b in pairwise(slices))
    assert all(s.end - s.start == dt.timedelta(days=table.days) for s in slices)


@given(tables, times, st.timedeltas(dt.timedelta(0), dt.timedelta(days=60)))
def test_slices_of_different_times_are_the_same_or_apart(
    table: PartitionedTable, now: dt.datetime, later: dt.timedelta
) -> None:
    slices = {*wanted(table, now), *wanted(table, now + later)}
    assert len({s.name for s in slices}) == len(slices)
    ordered = sorted(slices, key=lambda s: s.start)
    assert all(a.end <= b.start for a, b in pairwise(ordered))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_very_second_at_which_a_slice_begins_is_its_own(table: PartitionedTable) -> None:
    start = wanted(table, dt.datetime(2026, 5, 5, 12, tzinfo=dt.UTC))[1].start
    just_before = start - dt.timedelta(microseconds=1)
    assert wanted(table, start)[0].start == start
    assert wanted(table, just_before)[0].end == start


def test_what_is_over_is_dropped_and_nothing_else() -> None:
    table = next(table for table in TABLES if table.name == "alert_log")
    existing = [
        "alert_log_20260101",
        "alert_log_20260108",
        "alert_log_default",
        "alert_log_archive",
        "alert_log_20260115",
    ]
    found = over(table, existing, dt.datetime(2026, 1, 15, tzinfo=dt.UTC))
    assert [partition.name for partition in found] == ["alert_log_20260101", "alert_log_20260108"]
    found = over(table, existing, dt.datetime(2026, 1, 14, 23, 59, tzinfo=dt.UTC))
    assert [partition.name for partition in found] == ["alert_log_20260101"]
