"""The observations themselves of a metric's series, for who decides on them once more; bounded."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

MOST_VALUES: Final = 50_000
"""Observations that are read in all, the newest of each series."""

CHOSEN: Final = text(
    """SELECT s.series, s.labels FROM series_state s
WHERE s.workspace_id = :workspace AND s.framework_id = :framework AND s.metric = :metric
  AND s.labels @> CAST(:labels AS jsonb) AND s.last_at >= :begin
ORDER BY s.last_at DESC, s.series LIMIT :most"""
)
VALUES: Final = text(
    """SELECT extract(epoch FROM o.at)::float8, o.value FROM observations o
WHERE o.workspace_id = :workspace AND o.series = :series AND o.at >= :begin AND o.at < :end
ORDER BY o.at DESC LIMIT :most"""
)


@dataclass(frozen=True, slots=True)
class Past:
    """One set of labels and its values with their times in seconds, the oldest first.

    `cut`: there are more than are read, and the oldest are left out.
    """

    labels: Mapping[str, str]
    samples: Sequence[tuple[float, float]]
    cut: bool


async def read(
    connection: AsyncConnection,
    workspace_id: uuid.UUID,
    framework_id: uuid.UUID,
    metric: str,
    labels: Mapping[str, str],
    *,
    begin: dt.datetime,
    end: dt.datetime,
    count: int,
) -> Sequence[Past]:
    """Up to `count` series with these labels among theirs, those observed last first; their values in [begin, end)."""
    found = await connection.execute(
        CHOSEN,
        {
            "workspace": workspace_id,
            "framework": framework_id,
            "metric": metric,
            "labels": msgspec.json.encode(labels).decode(),
            "begin": begin,
            "most": count,
        },
    )
    chosen = found.all()
    pasts: list[Past] = []
    for series, its_labels in chosen:
        most = MOST_VALUES // len(chosen)
        rows = await connection.execute(
            VALUES, {"workspace": workspace_id, "series": series, "begin": begin, "end": end, "most": most}
        )
        samples = [(at, value) for at, value in rows]
        samples.reverse()
        pasts.append(Past(its_labels, samples, cut=len(samples) == most))
    return pasts
