"""A job is overdue from the slot on that it should have done since it last did one."""

from __future__ import annotations

import datetime as dt

import pytest

from convex_common.job_standing import Order, Standing
from convex_common.job_status import Figures, JobStatus
from convex_common.timetable import LOCAL_QUEUE, Priority, ScheduledJob

HALF_HOURLY = ScheduledJob("refresh", "*/30 * * * *", Priority.LOW, LOCAL_QUEUE)
DAILY = ScheduledJob("nightly", "0 2 * * *", Priority.HIGH, LOCAL_QUEUE)


def at(day: int, hour: int, minute: int = 0, second: int = 0) -> dt.datetime:
    return dt.datetime(2026, 3, day, hour, minute, second, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("job", "figures", "now", "minutes"),
    [
        pytest.param(HALF_HOURLY, Figures(last_success=at(10, 10, 0, 3)), at(10, 10, 29), 0, id="not due again yet"),
        pytest.param(HALF_HOURLY, Figures(last_success=at(10, 10, 0, 3)), at(10, 10, 30), 0, id="due now"),
        pytest.param(HALF_HOURLY, Figures(last_success=at(10, 10, 0, 3)), at(10, 11, 45), 75, id="misses slots"),
        pytest.param(DAILY, Figures(last_success=at(10, 2, 4)), at(11, 1, 59), 0, id="waits for its night"),
        pytest.param(DAILY, Figures(last_success=at(10, 2, 4)), at(11, 3, 0), 60, id="missed its night"),
        pytest.param(
            DAILY,
            Figures(last_success=at(9, 2, 4), last_run=at(10, 2, 1), last_status="skipped"),
            at(10, 12),
            0,
            id="skipped since there was nothing to do",
        ),
        pytest.param(
            DAILY,
            Figures(last_success=at(9, 2, 4), last_run=at(10, 2, 1), last_status="failed"),
            at(10, 12),
            600,
            id="failed",
        ),
        pytest.param(DAILY, Figures(), at(10, 12), 0, id="never ran, new since the morning"),
        pytest.param(DAILY, Figures(), at(11, 12), 600, id="never ran, and should have"),
    ],
)
def test_overdue(job: ScheduledJob, figures: Figures, now: dt.datetime, minutes: int) -> None:
    status = JobStatus(job, figures, job.next_due(now))
    assert status.overdue(now, since=at(10, 9)) == dt.timedelta(minutes=minutes)


def test_a_suspended_job_is_not_overdue() -> None:
    order = Order(suspended=True, by="ada", at=at(10, 1), done=True)
    status = JobStatus(DAILY, Figures(last_success=at(9, 2, 4)), at(11, 2), Standing(order))
    assert status.overdue(at(10, 12), since=at(10, 9)) == dt.timedelta()


@pytest.mark.parametrize(
    ("figures", "now", "overdue"),
    [
        pytest.param(Figures(last_success=at(10, 2, 4)), at(11, 2, 10), False, id="within its grace"),
        pytest.param(Figures(last_success=at(10, 2, 4)), at(11, 2, 10, 1), True, id="beyond it"),
        pytest.param(Figures(last_success=at(10, 2, 4), running=True), at(11, 3), True, id="a run that hangs"),
        pytest.param(Figures(), at(11, 3), False, id="never ran: it may be new"),
        pytest.param(
            Figures(last_run=at(10, 2, 4), last_status="failed"),
            at(10, 12),
            False,
            id="its first run failed: no slot since",
        ),
        pytest.param(
            Figures(last_run=at(10, 2, 4), last_status="failed"), at(11, 3), True, id="and then none was done"
        ),
    ],
)
def test_a_job_is_called_overdue_after_its_grace(figures: Figures, now: dt.datetime, overdue: bool) -> None:
    status = JobStatus(DAILY, figures, DAILY.next_due(now))
    assert status.is_overdue(now) is overdue
    assert status.as_answer(now, with_error=False)["overdue"] is overdue
