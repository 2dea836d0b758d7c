"""A recorded series from a CSV file, played again from now on."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

FORMATS = (
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
)


class Unreadable(ValueError):  # noqa: N818 - reads as a state
    """A row that is no `timestamp,value`; the message names its line."""


@dataclass(frozen=True)
class Point:
    """A value at the time it was recorded."""

    at: datetime
    value: float


def read(path: Path) -> list[Point]:
    """The file's points in order of time; empty and NaN values are gaps and left out."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        return sorted(_points(file), key=lambda point: point.at)


def _points(lines: Iterable[str]) -> Iterator[Point]:
    """From rows of two columns or more, `timestamp,value`; the first row may be a header."""
    for number, row in enumerate(csv.reader(lines), start=1):
        if not row or not "".join(row).strip():
            continue
        if len(row) < 2:
            raise Unreadable(f"line {number}: two columns are needed, timestamp and value")
        at, value = _time(row[0].strip()), _value(row[1].strip())
        if at is None or value is None:
            if number == 1 and at is None:
                continue  # a header
            column = "timestamp" if at is None else "value"
            raise Unreadable(f"line {number}: {row[0 if at is None else 1].strip()!r} is no {column}")
        if math.isfinite(value):
            yield Point(at, value)


def _value(text: str) -> float | None:
    """A number; NaN for an empty field, `None` for anything else."""
    try:
        return float(text) if text else math.nan
    except ValueError:
        return None


def _time(text: str) -> datetime | None:
    """ISO 8601, seconds to nanoseconds since 1970, or one of FORMATS; UTC where no zone is given."""
    try:
        number = float(text)
    except ValueError:
        pass
    else:
        return _since_1970(number)
    try:
        return _utc(datetime.fromisoformat(text))
    except ValueError:
        pass
    for format_ in FORMATS:
        try:
            return datetime.strptime(text, format_).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def _since_1970(number: float) -> datetime | None:
    """Tells seconds from milli-, micro- and nanoseconds by their size: seconds up to the year 5138."""
    for _ in range(3):
        if abs(number) < 1e11:
            break
        number /= 1000
    try:
        return datetime.fromtimestamp(number, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


@dataclass(frozen=True)
class Schedule:
    """Recorded gaps divided by `speed`, the first point at `start`."""

    points: Sequence[Point]
    speed: float
    start: datetime

    def at(self, index: int) -> datetime:
        """When the point is due, which is also the time that it is sent with."""
        return self.start + (self.points[index].at - self.points[0].at) / self.speed

    @property
    def length(self) -> timedelta:
        return self.at(len(self.points) - 1) - self.start

    def due(self, first: int, now: datetime, most: int) -> int:
        """The index after the last point, counted from `first`, that is due at `now`; at most `most` points on."""
        end = first
        while end < len(self.points) and end - first < most and self.at(end) <= now:
            end += 1
        return end
