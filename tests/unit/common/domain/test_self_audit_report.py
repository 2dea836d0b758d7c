"""What the self-audit's record means, as people are told it."""

from __future__ import annotations

import datetime as dt

import pytest

from convex_common.domain.self_audit import Report, SelfAuditStatus, Stage, Standing, report

BEGAN = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)
SECONDS = dt.timedelta(seconds=1)


def standing(passed: bool | None, *, age: int, within: int | None = 150, stage: str | None = None) -> Standing:
    return Standing(
        ended_at=None if passed is None else BEGAN + SECONDS,
        passed=passed,
        stage=stage,
        reason=None if stage is None else "POST /triggers answered 503",
        seconds={"seen": 0.0512, "prepared": 0.00004},
        last_passed_at=BEGAN if passed else None,
        began_at=BEGAN,
        next_within=None if within is None else within * SECONDS,
        read_at=BEGAN + age * SECONDS,
    )


@pytest.mark.parametrize(
    ("record", "status"),
    [
        pytest.param(None, SelfAuditStatus.NEVER, id="no scheduler was ever there"),
        pytest.param(standing(None, age=1), SelfAuditStatus.NEVER, id="the first is under way"),
        pytest.param(standing(True, age=1), SelfAuditStatus.PASSED, id="passed"),
        pytest.param(standing(True, age=150), SelfAuditStatus.PASSED, id="the next is just due"),
        pytest.param(standing(True, age=151), SelfAuditStatus.STALE, id="passed, and then nobody asked"),
        pytest.param(standing(False, age=1, stage="stored"), SelfAuditStatus.FAILED, id="failed"),
        pytest.param(
            standing(False, age=151, stage="stored"), SelfAuditStatus.STALE, id="failed, and then nobody asked"
        ),
        pytest.param(standing(None, age=151), SelfAuditStatus.STALE, id="the first never ended"),
        pytest.param(standing(True, age=1, within=None), SelfAuditStatus.OFF, id="switched off after it passed"),
        pytest.param(standing(None, age=99_999, within=None), SelfAuditStatus.OFF, id="switched off from the start"),
    ],
)
def test_status(record: Standing | None, status: SelfAuditStatus) -> None:
    told = report(record)
    assert told.status is status
    assert told.about


def test_it_tells_how_far_the_last_run_came_in_the_order_of_the_path() -> None:
    told = report(standing(False, age=1, stage="stored"))
    assert list(told.stages) == list(Stage)
    assert {stage: took for stage, took in told.stages.items() if took is not None} == {
        Stage.PREPARED: 0.0,
        Stage.SEEN: 51.2,
    }
    assert (told.failed_stage, told.reason) == (Stage.STORED, "POST /triggers answered 503")
    assert (told.last_run_at, told.last_passed_at) == (BEGAN + SECONDS, None)
    assert told.without_insides().reason is None
    assert told.without_insides().failed_stage is Stage.STORED


def test_without_a_record_every_stage_is_there_and_none_is_reached() -> None:
    assert Report(SelfAuditStatus.UNKNOWN, "").stages == dict.fromkeys(Stage)
