"""Reading what was counted of alerts, in buckets of any calendar: `alert_quarters`, added up by the database."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.domain.durations import Durations
from convex_common.domain.figures import COUNTS, PARTS, TIMES, Figures

_OF_PERIOD: Final = """WHERE q.workspace_id = :workspace AND q.at >= CAST(:start AS timestamptz)
    AND q.at < CAST(:end AS timestamptz)
    AND (CAST(:framework AS uuid) IS NULL OR q.framework_id = CAST(:framework AS uuid))"""
_BUCKET: Final = "width_bucket(q.at, CAST(:bounds AS timestamptz[])) - 1"
_SUMS: Final = (*COUNTS, *(name for time in TIMES for name in (time, f"{time}_total")))

COUNTED: Final = text(f"""SELECT q.framework_id, {_BUCKET}, max(q.computed_at),
    {", ".join(f"sum(q.{name})" for name in _SUMS)} FROM alert_quarters q {_OF_PERIOD}
GROUP BY 1, 2""")  # noqa: S608 - made of our own text

PARTED: Final = text(f"""SELECT c.framework_id, c.bucket, c.name, p.key, sum(p.value::bigint)::bigint
FROM (SELECT q.framework_id, {_BUCKET} AS bucket, d.name, d.counts
    FROM alert_quarters q CROSS JOIN LATERAL (VALUES
        ('acknowledged', q.acknowledged_in), ('resolved', q.resolved_in), ('by_severity', q.by_severity),
        ('by_type', q.by_type), ('by_rule', q.by_rule), ('withheld', q.withheld), ('deliveries', q.deliveries)
    ) AS d(name, counts) {_OF_PERIOD} AND d.name = ANY(:parts)) c
CROSS JOIN LATERAL jsonb_each_text(c.counts) p GROUP BY 1, 2, 3, 4""")  # noqa: S608 - made of our own text

NAMES: Final = text("SELECT id, framework_id, name FROM rules WHERE workspace_id = :workspace AND id = ANY(:ids)")

FRAMEWORKS: Final = text("SELECT id, name FROM frameworks WHERE workspace_id = :workspace")
TIMEZONE: Final = text("SELECT timezone FROM workspaces WHERE id = :workspace")

EVERYTHING: Final = (*TIMES, *PARTS)


@dataclass(frozen=True, slots=True)
class Counted:
    """The figures of a framework in one of the buckets that were asked for."""

    framework_id: uuid.UUID
    bucket: int
    figures: Figures
    computed_at: dt.datetime


async def counted(
    connection: AsyncConnection,
    workspace_id: uuid.UUID,
    framework_id: uuid.UUID | None,
    bounds: Sequence[dt.datetime],
    parts: Sequence[str] = EVERYTHING,
) -> list[Counted]:
    """What was counted between each bound and the next, where anything was; only the parts that are asked for."""
    which: dict[str, Any] = {
        "workspace": workspace_id,
        "framework": framework_id,
        "start": bounds[0],
        "end": bounds[-1],
        "bounds": list(bounds),
        "parts": list(parts),
    }
    found: dict[tuple[uuid.UUID, int], dict[str, dict[str, int]]] = {}
    if parts:
        for owner, bucket, name, key, count in await connection.execute(PARTED, which):
            found.setdefault((owner, bucket), {}).setdefault(name, {})[key] = count
    return [
        Counted(owner, bucket, _figures(dict(zip(_SUMS, sums, strict=True)), found.get((owner, bucket), {})), at)
        for owner, bucket, at, *sums in await connection.execute(COUNTED, which)
    ]


async def rule_names(
    connection: AsyncConnection, workspace_id: uuid.UUID, rule_ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, tuple[uuid.UUID, str]]:
    """The framework and the name of each of these rules, deleted ones included."""
    which = {"workspace": workspace_id, "ids": list(rule_ids)}
    return {row[0]: (row[1], row[2]) for row in await connection.execute(NAMES, which)}


async def framework_names(connection: AsyncConnection, workspace_id: uuid.UUID) -> dict[uuid.UUID, str]:
    """Of all frameworks, deleted ones included."""
    return {row[0]: row[1] for row in await connection.execute(FRAMEWORKS, {"workspace": workspace_id})}


async def timezone(connection: AsyncConnection, workspace_id: uuid.UUID) -> str:
    """By whose clock the workspace tells its days."""
    found: str = (await connection.execute(TIMEZONE, {"workspace": workspace_id})).scalar_one()
    return found


def _figures(sums: Mapping[str, Any], parts: Mapping[str, Mapping[str, int]]) -> Figures:
    read: dict[str, Any] = {name: int(sums[name]) for name in COUNTS}
    read |= {name: _durations(sums, name, parts.get(name, {})) for name in TIMES}
    read |= {name: parts.get(name, {}) for name in PARTS}
    return Figures(**read)


def _durations(sums: Mapping[str, Any], name: str, buckets: Mapping[str, int]) -> Durations:
    return Durations(
        int(sums[name]), float(sums[f"{name}_total"]), {int(bucket): count for bucket, count in buckets.items()}
    )
