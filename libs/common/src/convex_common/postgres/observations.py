"""Reading observations for people: series put together over equal spans of time, and which metrics there are."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

MAX_READ = 100_000
"""Observations that are read of one series, the newest: more than a day's at one a second."""
MAX_LABEL_SETS = 20

# The mean's terms are clamped: a sum beyond a float would fail the whole statement, and avg squares its terms besides.
SERIES = text(
    """
WITH chosen AS (
    SELECT s.series, s.labels, s.last_at, s.last_value FROM series_state s
    WHERE s.workspace_id = :workspace AND s.framework_id = :framework AND s.metric = :metric
      AND s.labels @> CAST(:labels AS jsonb)
    ORDER BY s.last_at DESC, s.series LIMIT :most)
SELECT c.series, c.labels, c.last_at, c.last_value, b.at, b.min, b.max, b.avg, b.last, b.count
FROM chosen c LEFT JOIN LATERAL (
    SELECT date_bin(:step, o.at, :begin) AS at, min(o.value) AS min, max(o.value) AS max,
           sum(least(greatest(o.value, -1e290), 1e290)) / count(*) AS avg,
           (array_agg(o.value ORDER BY o.at DESC))[1] AS last, count(*) AS count
    FROM (SELECT o.at, o.value FROM observations o
          WHERE o.workspace_id = :workspace AND o.series = c.series AND o.at >= :begin AND o.at < :end
          ORDER BY o.at DESC LIMIT :read) o
    GROUP BY 1) b ON true
ORDER BY c.last_at DESC, c.series, b.at
"""
)

METRICS = text(
    """
WITH seen AS (
    SELECT s.metric, s.labels, s.last_at, row_number() OVER (PARTITION BY s.metric ORDER BY s.last_at DESC) AS place
    FROM series_state s
    WHERE s.workspace_id = :workspace AND s.framework_id = :framework AND s.metric > :after)
SELECT metric, count(*) AS series, max(last_at) AS last_at,
       jsonb_agg(labels ORDER BY place) FILTER (WHERE place <= :sets) AS label_sets
FROM seen GROUP BY metric ORDER BY metric LIMIT :count
"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What a series did from `at` on, for one step."""

    at: dt.datetime
    min: float
    max: float
    avg: float
    last: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One set of labels; `cut` where it had more observations than are read, and the oldest are left out."""

    labels: Mapping[str, str]
    last_at: dt.datetime
    last_value: float
    points: Sequence[Point]
    cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric that was observed: how many series it has, and the labels of those that were seen last."""

    metric: str
    series: int
    last_at: dt.datetime
    label_sets: Sequence[Mapping[str, str]]


async def series(
    connection: AsyncConnection,
    workspace_id: uuid.UUID,
    framework_id: uuid.UUID,
    metric: str,
    labels: Mapping[str, str],
    *,
    begin: dt.datetime,
    end: dt.datetime,
    step: dt.timedelta,
    count: int,
) -> Sequence[Series]:
    """Up to `count` series with these labels among theirs, those observed last first; within [begin, end) by steps."""
    found = await connection.execute(
        SERIES,
        {
            "workspace": workspace_id,
            "framework": framework_id,
            "metric": metric,
            "labels": msgspec.json.encode(labels).decode(),
            "begin": begin,
            "end": end,
            "step": step,
            "most": count,
            "read": MAX_READ,
        },
    )
    rows: dict[bytes, list[Any]] = {}
    for row in found:
        rows.setdefault(bytes(row.series), []).append(row)
    return [_series(some) for some in rows.values()]


async def metrics(
    connection: AsyncConnection, workspace_id: uuid.UUID, framework_id: uuid.UUID, *, after: str | None, count: int
) -> Sequence[Metric]:
    """Up to `count` metrics of a framework after a name, by name."""
    found = await connection.execute(
        METRICS,
        {
            "workspace": workspace_id,
            "framework": framework_id,
            "after": after or "",
            "sets": MAX_LABEL_SETS,
            "count": count,
        },
    )
    return [Metric(**row) for row in found.mappings()]


def _series(rows: Sequence[Any]) -> Series:
    first = rows[0]
    points = [
        Point(at=row.at.astimezone(dt.UTC), min=row.min, max=row.max, avg=row.avg, last=row.last, count=row.count)
        for row in rows
        if row.at is not None
    ]
    return Series(
        labels=first.labels,
        last_at=first.last_at,
        last_value=first.last_value,
        points=points,
        cut=sum(point.count for point in points) >= MAX_READ,
    )
