from pathlib import Path

import pytest

from convex_dev.journal import Echo, Journal, warning_in


def test_rotation_bounds_the_size_and_loses_no_recent_line(tmp_path: Path) -> None:
    path = tmp_path / "gateway.log"
    journal = Journal(path, limit=1000, keep=2)
    for number in range(500):
        journal.write(f"line {number}".encode())
    journal.close()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["gateway.log", "gateway.log.1", "gateway.log.2"]
    assert all(file.stat().st_size <= 1010 for file in files)
    kept = "".join((tmp_path / name).read_text() for name in ("gateway.log.2", "gateway.log.1", "gateway.log"))
    lines = kept.splitlines()
    assert lines == [f"line {number}" for number in range(500 - len(lines), 500)]
    assert journal.last == "line 499"


def test_a_second_run_appends(tmp_path: Path) -> None:
    for run in ("first", "second"):
        journal = Journal(tmp_path / "log")
        journal.write(run.encode())
        journal.close()
    assert (tmp_path / "log").read_text() == "first\nsecond\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"level":"WARNING","msg":"slow"}', "slow"),
        (b'{"level": "ERROR", "msg": "two\\nlines"}', "two lines"),
        (b'{"level":"INFO","msg":"an ERROR is mentioned"}', None),
        (b"WARNING: not JSON", None),
        (b'{"level":"ERROR", cut off', None),
        (b"", None),
        (b'{"level":"WARNING","msg":"' + b"x" * 500 + b'"}', "x" * 200),
    ],
    ids=["warning", "error", "info", "plain text", "malformed", "empty", "long"],
)
def test_warnings_are_recognised(line: bytes, message: str | None) -> None:
    assert warning_in(line) == message


def test_a_flood_of_warnings_is_counted_not_repeated() -> None:
    said: list[str] = []
    echo = Echo(said.append, most=2, window=10)
    for second in range(8):
        echo.line("notifier", b'{"level":"WARNING","msg":"again"}', float(second))
    echo.line("notifier", b'{"level":"WARNING","msg":"later"}', 11.0)
    assert said == [
        "notifier: again",
        "notifier: again",
        "notifier: 6 more warnings in logs/notifier.log",
        "notifier: later",
    ]
