"""Reading what was computed of alerts: figures per framework over a period of days, and how many alerts are open."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_PERIOD: Final = """WHERE s.workspace_id = :workspace AND s.day BETWEEN :first AND :last
    AND (CAST(:framework AS uuid) IS NULL OR s.framework_id = CAST(:framework AS uuid))"""

_TIMES: Final = """coalesce(sum((s.{0}_seconds->>'avg')::float8 * s.{0}d), 0)::float8,
    coalesce(sum(s.{0}d) FILTER (WHERE s.{0}_seconds->>'avg' IS NOT NULL), 0)::bigint,
    max((s.{0}_seconds->>'p95')::float8)"""

_FIGURES: Final = text(f"""SELECT s.framework_id, sum(s.alerts)::bigint, sum(s.occurrences)::bigint,
    sum(s.acknowledged)::bigint, sum(s.resolved)::bigint, {_TIMES.format("acknowledge")}, {_TIMES.format("resolve")},
    max(s.computed_at)
FROM alert_statistics s {_PERIOD}
GROUP BY s.framework_id ORDER BY sum(s.alerts) DESC, s.framework_id""")  # noqa: S608 - made of our own text

_PARTS: Final = text(f"""SELECT s.framework_id, true, p.key, sum(p.value::bigint)::bigint
FROM alert_statistics s CROSS JOIN jsonb_each_text(s.by_severity) p {_PERIOD} GROUP BY 1, 3
UNION ALL SELECT s.framework_id, false, p.key, sum(p.value::bigint)::bigint
FROM alert_statistics s CROSS JOIN jsonb_each_text(s.by_type) p {_PERIOD} GROUP BY 1, 3
""")  # noqa: S608 - made of our own text

_OPEN: Final = text("""SELECT a.severity, a.status, count(*) FROM alerts a
WHERE a.workspace_id = :workspace AND a.status <> 'resolved'
    AND (CAST(:framework AS uuid) IS NULL OR a.framework_id = CAST(:framework AS uuid)) GROUP BY 1, 2""")


@dataclass(frozen=True, slots=True)
class Times:
    """How long something took, in seconds: their sum, of how many, and the 95th percentile of the slowest day."""

    total: float = 0.0
    count: int = 0
    worst_p95: float | None = None

    @property
    def mean(self) -> float | None:
        """None where nothing was measured."""
        return round(self.total / self.count, 3) if self.count else None

    def __add__(self, other: Times) -> Times:
        worst = [one.worst_p95 for one in (self, other) if one.worst_p95 is not None]
        return Times(self.total + other.total, self.count + other.count, max(worst, default=None))


@dataclass(frozen=True, slots=True)
class Figures:
    """What happened in a period, as the daily statistics have it."""

    alerts: int = 0
    occurrences: int = 0
    acknowledged: int = 0
    resolved: int = 0
    acknowledge: Times = field(default_factory=Times)
    resolve: Times = field(default_factory=Times)
    computed_at: dt.datetime | None = None
    by_severity: Mapping[str, int] = field(default_factory=dict)
    by_type: Mapping[str, int] = field(default_factory=dict)


async def figures(
    connection: AsyncConnection, workspace_id: uuid.UUID, framework_id: uuid.UUID | None, first: dt.date, last: dt.date
) -> dict[uuid.UUID, Figures]:
    """By framework, the one with the most alerts first; for the days from `first` to `last`, both included."""
    which = {"workspace": workspace_id, "framework": framework_id, "first": first, "last": last}
    severities: dict[uuid.UUID, dict[str, int]] = {}
    types: dict[uuid.UUID, dict[str, int]] = {}
    for owner, is_severity, name, count in await connection.execute(_PARTS, which):
        (severities if is_severity else types).setdefault(owner, {})[name] = count
    found: dict[uuid.UUID, Figures] = {}
    for owner, alerts, occurrences, acknowledged, resolved, *times, computed_at in await connection.execute(
        _FIGURES, which
    ):
        found[owner] = Figures(
            alerts=alerts,
            occurrences=occurrences,
            acknowledged=acknowledged,
            resolved=resolved,
            acknowledge=Times(*times[:3]),
            resolve=Times(*times[3:]),
            computed_at=computed_at,
            by_severity=severities.get(owner, {}),
            by_type=types.get(owner, {}),
        )
    return found


def total(each: Sequence[Figures]) -> Figures:
    """All of them together."""
    computed = [one.computed_at for one in each if one.computed_at is not None]
    return Figures(
        alerts=sum(one.alerts for one in each),
        occurrences=sum(one.occurrences for one in each),
        acknowledged=sum(one.acknowledged for one in each),
        resolved=sum(one.resolved for one in each),
        acknowledge=sum((one.acknowledge for one in each), Times()),
        resolve=sum((one.resolve for one in each), Times()),
        computed_at=max(computed, default=None),
        by_severity=_summed([one.by_severity for one in each]),
        by_type=_summed([one.by_type for one in each]),
    )


async def open_alerts(
    connection: AsyncConnection, workspace_id: uuid.UUID, framework_id: uuid.UUID | None
) -> list[tuple[str, str, int]]:
    """How many alerts of a severity and a status are open now."""
    which = {"workspace": workspace_id, "framework": framework_id}
    return [(severity, status, count) for severity, status, count in await connection.execute(_OPEN, which)]


def _summed(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in counts:
        for name, count in each.items():
            found[name] = found.get(name, 0) + count
    return found
