"""Slots: always UTC, always the latest one, never one that has not come."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convex_common.contracts import JOB_DUE, JobDue
from convex_common.errors import NotFound
from convex_common.timetable import HINTS, LOCAL_QUEUE, TIMETABLE, Priority, ScheduledJob, Timetable, rfc3339


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("schedule", "now", "latest", "following"),
    [
        pytest.param("0 2 * * *", "2026-03-10T01:59:59", "2026-03-09T02:00", "2026-03-10T02:00", id="a second early"),
        pytest.param("0 2 * * *", "2026-03-10T02:00:00", "2026-03-10T02:00", "2026-03-11T02:00", id="on time"),
        pytest.param(
            "0 2 * * *", "2026-03-10T02:00:00.000001", "2026-03-10T02:00", "2026-03-11T02:00", id="just after"
        ),
        pytest.param(
            "0 2 * * *", "2026-03-10T01:59:59.999999", "2026-03-09T02:00", "2026-03-10T02:00", id="just before"
        ),
        pytest.param("0 2 * * *", "2027-01-01T00:00:00", "2026-12-31T02:00", "2027-01-01T02:00", id="new year"),
        pytest.param("0 2 * * *", "2028-03-01T01:00:00", "2028-02-29T02:00", "2028-03-01T02:00", id="leap day"),
        pytest.param("0 */12 * * *", "2026-03-10T11:59:00", "2026-03-10T00:00", "2026-03-10T12:00", id="every 12 h"),
        pytest.param("0 */12 * * *", "2026-03-10T12:00:00", "2026-03-10T12:00", "2026-03-11T00:00", id="at noon"),
        pytest.param(
            "0 * * * *", "2026-03-29T01:30:00", "2026-03-29T01:00", "2026-03-29T02:00", id="Berlin springs on"
        ),
        pytest.param(
            "0 * * * *", "2026-10-25T01:30:00", "2026-10-25T01:00", "2026-10-25T02:00", id="Berlin falls back"
        ),
    ],
)
def test_slots(schedule: str, now: str, latest: str, following: str) -> None:
    job = ScheduledJob("some", schedule, Priority.LOW, LOCAL_QUEUE)
    assert job.latest_due(utc(now)) == utc(latest)
    assert job.next_due(utc(now)) == utc(following)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
def test_a_zone_of_the_caller_changes_nothing(zone: str) -> None:
    job = ScheduledJob("some", "0 2 * * *", Priority.LOW, LOCAL_QUEUE)
    now = utc("2026-03-29T02:30")
    slot = job.latest_due(now.astimezone(ZoneInfo(zone)))
    assert slot == utc("2026-03-29T02:00")
    assert slot.utcoffset() == dt.timedelta(0)


@given(
    st.datetimes(dt.datetime(2024, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC)),  # noqa: DTZ001
    st.sampled_from([*TIMETABLE]),
)
def test_no_slot_lies_between(now: dt.datetime, job: ScheduledJob) -> None:
    latest, following = job.latest_due(now), job.next_due(now)
    assert latest <= now < following
    assert job.next_due(latest) == following
    assert job.latest_due(latest) == latest


@pytest.mark.parametrize(
    ("name", "schedule", "priority"),
    [
        ("analytics-aggregation", "0 2 * * *", Priority.HIGH),
        ("predictions", "0 3 * * *", Priority.HIGH),
        ("pattern-detection", "0 */6 * * *", Priority.MEDIUM),
        ("retention", "30 3 * * *", Priority.MEDIUM),
        ("alert-statistics-refresh", "*/30 * * * *", Priority.LOW),
        ("cache-health-check", "0 * * * *", Priority.LOW),
        ("job-cleanup", "0 */12 * * *", Priority.LOW),
        ("partitions", "0 * * * *", Priority.HIGH),
    ],
)
def test_what_runs_when(name: str, schedule: str, priority: Priority) -> None:
    job = TIMETABLE.job(name)
    assert (job.schedule, job.priority) == (schedule, priority)


@settings(deadline=None)
@given(
    st.datetimes(dt.datetime(2024, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC)),  # noqa: DTZ001
    st.timedeltas(dt.timedelta(0), dt.timedelta(days=3)),
    st.sampled_from([*TIMETABLE]),
)
def test_a_range_has_every_slot_in_it(first: dt.datetime, length: dt.timedelta, job: ScheduledJob) -> None:
    last = first + length
    slots = job.due_between(first, last)
    assert all(first <= slot <= last for slot in slots)
    assert slots == sorted({job.latest_due(slot) for slot in slots})
    if slots:
        assert job.latest_due(last) == slots[-1]
        assert job.latest_due(slots[0] - dt.timedelta.resolution) < first
    else:
        assert job.latest_due(last) < first


def test_every_job_has_somebody_to_run_it() -> None:
    assert all(job.is_local or job.queue in HINTS for job in TIMETABLE)


def test_a_slot_fits_its_contract() -> None:
    slot = TIMETABLE.job("analytics-aggregation").latest_due(utc("2026-03-10T05:00"))
    payload = JOB_DUE.encode(JobDue("analytics-aggregation", rfc3339(slot)))
    assert payload == {"job": "analytics-aggregation", "slot": "2026-03-10T02:00:00Z"}


def test_after_days_of_silence_each_job_is_due_once_and_the_urgent_first() -> None:
    due = TIMETABLE.due(utc("2026-03-10T13:45"))
    assert [(each.job.name, each.slot) for each in due] == [
        ("analytics-aggregation", utc("2026-03-10T02:00")),
        ("predictions", utc("2026-03-10T03:00")),
        ("partitions", utc("2026-03-10T13:00")),
        ("retention", utc("2026-03-10T03:30")),
        ("pattern-detection", utc("2026-03-10T12:00")),
        ("job-cleanup", utc("2026-03-10T12:00")),
        ("cache-health-check", utc("2026-03-10T13:00")),
        ("alert-statistics-refresh", utc("2026-03-10T13:30")),
    ]


def test_an_unknown_job_is_told_with_the_known_ones() -> None:
    with pytest.raises(NotFound, match="nonsense: there is no such job; known are analytics-aggregation, "):
        TIMETABLE.job("nonsense")


def test_without_the_owner_only_his_jobs_are_missing() -> None:
    left = {job.name for job in TIMETABLE.without_owner()}
    assert {job.name for job in TIMETABLE} - left == {"partitions", "retention"}
    assert Timetable(()).due(utc("2026-03-10T00:00")) == []
