"""What `convex-scheduler run` says, and its exit code."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest

from convex_common.exits import Exit
from convex_common.postgres.job_runner import retry_in
from convex_common.postgres.job_runs import Run, RunStatus
from convex_scheduler.main import main
from convex_scheduler.run import told

SLOT = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)


def a_run(status: RunStatus, **fields: Any) -> Run:
    given = {"attempts": 0, "last_error": None, "detail": {}, "finished_at": None, **fields}
    return Run(id=uuid.UUID(int=1), job="some", slot=SLOT, queue="scheduler", status=status, **given)


@pytest.mark.parametrize(
    ("run", "new", "line", "code"),
    [
        pytest.param(a_run(RunStatus.COMPLETED, detail={"n": 1}), True, 'X completed {"n": 1}', Exit.DONE, id="done"),
        pytest.param(a_run(RunStatus.COMPLETED), False, "X completed before {}", Exit.DONE, id="done already"),
        pytest.param(
            a_run(RunStatus.SKIPPED, detail={"skipped": "not yet"}), True, "X skipped: not yet", Exit.DONE, id="skipped"
        ),
        pytest.param(
            a_run(RunStatus.FAILED, attempts=1, last_error="no"), True, "X failed after 1 attempts: no", Exit.FAILED,
            id="refused",
        ),
        pytest.param(
            a_run(RunStatus.QUARANTINED, attempts=3, last_error="no"), True, "X quarantined after 3 attempts: no",
            Exit.FAILED, id="given up",
        ),
        pytest.param(a_run(RunStatus.PENDING), True, "X is still pending", Exit.TRY_AGAIN, id="nobody came"),
        pytest.param(
            a_run(RunStatus.RUNNING, last_error="hm"), False, "X is still running, last error: hm", Exit.TRY_AGAIN,
            id="under way",
        ),
    ],
)  # fmt: skip
def test_result(run: Run, new: bool, line: str, code: Exit) -> None:
    result = told("X", run, new=new)
    assert (result.line, result.code) == (line, code)


@pytest.mark.parametrize(("failures", "seconds"), [(0, 5), (1, 30), (2, 180)])
def test_each_failure_is_followed_by_a_longer_rest(failures: int, seconds: int) -> None:
    assert retry_in(failures) == dt.timedelta(seconds=seconds)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.delenv("DATABASE_OWNER_URL", raising=False)


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["run", "nonsense"], "nonsense: there is no such job; known are"),
        (["run", "partitions"], "DATABASE_OWNER_URL: is missing; partitions needs the role that owns the tables"),
    ],
)
def test_a_wrong_command_is_one_line_and_exit_2(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == Exit.WRONG
    told_once = capsys.readouterr().err.splitlines()
    assert len(told_once) == 1
    assert told_once[0].startswith(line)


@pytest.mark.usefixtures("settings")
def test_a_malformed_time_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["run", "job-cleanup", "--at", "yesterday"])
    assert "'yesterday' is no time like" in capsys.readouterr().err


@pytest.mark.usefixtures("settings")
def test_stores_that_are_away_mean_try_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "job-cleanup", "--timeout", "0"]) == Exit.TRY_AGAIN
    assert "not asked for: PostgreSQL is unavailable" in capsys.readouterr().out


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("missing", ["KUBERNETES_NAMESPACE", "KUBERNETES_SELECTOR"])
def test_a_scheduler_that_asks_a_cluster_has_to_know_where(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("KUBERNETES_NAMESPACE", "KUBERNETES_SELECTOR"):
        monkeypatch.setenv(name, "alerting")
    monkeypatch.setenv(missing, "")
    monkeypatch.setenv("KUBERNETES_JOBS", "true")
    assert main(["serve"]) == Exit.WRONG
    assert capsys.readouterr().err.startswith(f"{missing}: is missing; give the ")
