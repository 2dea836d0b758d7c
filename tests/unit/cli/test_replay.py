from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from convex_alerts.replay import Point, Schedule, Unreadable, read

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "series.csv"


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00:00",
        "2026-03-01 12:00:00",
        "2026-03-01 12:00",
        "2026-03-01T14:00:00+02:00",
        "2026-03-01 12:00:00.000000",
        "03/01/2026 12:00",
        "03/01/2026 12:00:00",
        "01.03.2026 12:00",
        "2026/03/01 12:00:00",
        "1772366400",
        "1772366400.0",
        "1772366400000",
        "1772366400000000",
        "1772366400000000000",
        " 2026-03-01 12:00:00 ",
    ],
)
def test_many_spellings_of_a_time_are_understood(file: Path, text: str) -> None:
    file.write_text(f"{text},1.5\n")
    assert read(file) == [Point(NOON, 1.5)]


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ("timestamp,value\n2026-03-01,1\n2026-03-02,2\n", [1, 2]),
        ("2026-03-01,1\n2026-03-02,2", [1, 2]),
        ("2026-03-02,2\n2026-03-01,1\n", [1, 2]),
        ("2026-03-01,1,extra,columns\n", [1]),
        ("\ufefftimestamp,value\r\n2026-03-01,1\r\n", [1]),
        ('timestamp,value\n"2026-03-01","1e3"\n', [1000]),
        ("2026-03-01,\n2026-03-02,NaN\n2026-03-03,inf\n2026-03-04,4\n", [4]),
        ("\n2026-03-01,1\n\n", [1]),
        ("", []),
        ("timestamp,value\n", []),
        ("2026-03-01,1\n2026-03-01,2\n", [1, 2]),
    ],
    ids=[
        *("header", "no header", "unordered", "more columns", "byte order mark", "quoted", "gaps"),
        *("blank lines", "empty", "only a header", "equal times keep their order"),
    ],
)
def test_rows(file: Path, content: str, values: list[float]) -> None:
    file.write_text(content, encoding="utf-8")
    assert [point.value for point in read(file)] == values


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("timestamp,value\nyesterday,1\n", "line 2: 'yesterday' is no timestamp"),
        ("timestamp,value\n2026-03-01,much\n", "line 2: 'much' is no value"),
        ("2026-03-01,much\n", "line 1: 'much' is no value"),
        ("2026-03-01,1\n2026-03-02\n", "line 2: two columns are needed, timestamp and value"),
        ("2026-03-01,1\n1e300,2\n", "line 2: '1e300' is no timestamp"),
    ],
)
def test_a_bad_row_is_named_by_its_line(file: Path, content: str, message: str) -> None:
    file.write_text(content)
    with pytest.raises(Unreadable) as caught:
        read(file)
    assert str(caught.value) == message


def test_gaps_are_kept_divided_by_speed_and_begin_now() -> None:
    points = [Point(NOON + timedelta(minutes=minute), minute) for minute in (0, 5, 10, 70)]
    start = datetime(2027, 1, 1, tzinfo=UTC)
    schedule = Schedule(points, 60, start)
    assert [(schedule.at(index) - start).total_seconds() for index in range(4)] == [0, 5, 10, 70]
    assert schedule.length == timedelta(seconds=70)
    assert schedule.due(0, start, 100) == 1
    assert schedule.due(1, start + timedelta(seconds=4.9), 100) == 1
    assert schedule.due(1, start + timedelta(seconds=10), 100) == 3
    assert schedule.due(0, start + timedelta(hours=1), 2) == 2
    assert schedule.due(0, start + timedelta(hours=1), 100) == 4
