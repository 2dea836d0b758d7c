"""Figures of buckets as series of one metric, and as rows of a CSV file. Pure."""

from __future__ import annotations

import csv
import datetime as dt
import io
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from convex_common.domain.figures import Figures, health
from convex_common.domain.severity import Severity

Value = float | None


class Metric(StrEnum):
    """What a series may be of."""

    ALERTS = "alerts"
    BY_SEVERITY = "alerts_by_severity"
    BY_TYPE = "alerts_by_type"
    FOLDED = "folded"
    TOLD = "told"
    WITHHELD = "withheld"
    DELIVERIES = "deliveries"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    TIME_TO_ACKNOWLEDGE = "time_to_acknowledge"
    TIME_TO_RESOLVE = "time_to_resolve"
    ACKNOWLEDGED_RATE = "acknowledged_rate"
    RESOLVED_RATE = "resolved_rate"
    FALSE_POSITIVE_RATE = "false_positive_rate"
    SUPPRESSION_EFFECTIVENESS = "suppression_effectiveness"
    HEALTH = "health"


ONE: Final[Mapping[Metric, Callable[[Figures], Value]]] = {
    Metric.ALERTS: lambda figures: figures.alerts,
    Metric.FOLDED: lambda figures: figures.folded,
    Metric.TOLD: lambda figures: figures.told,
    Metric.ACKNOWLEDGED: lambda figures: figures.acknowledged.count,
    Metric.RESOLVED: lambda figures: figures.resolved.count,
    Metric.ACKNOWLEDGED_RATE: lambda figures: figures.acknowledged_rate,
    Metric.RESOLVED_RATE: lambda figures: figures.resolved_rate,
    Metric.FALSE_POSITIVE_RATE: lambda figures: figures.false_positive_rate,
    Metric.SUPPRESSION_EFFECTIVENESS: lambda figures: figures.suppression_effectiveness,
    Metric.HEALTH: lambda figures: health(figures).score,
}
"""Metrics of a single series."""

MANY: Final[Mapping[Metric, Callable[[Figures], Mapping[str, Value]]]] = {
    Metric.BY_SEVERITY: lambda figures: {each.value: figures.by_severity.get(each.value, 0) for each in Severity},
    Metric.BY_TYPE: lambda figures: figures.by_type,
    Metric.WITHHELD: lambda figures: figures.withheld,
    Metric.DELIVERIES: lambda figures: figures.deliveries,
    Metric.TIME_TO_ACKNOWLEDGE: lambda figures: figures.acknowledged.as_answer(),
    Metric.TIME_TO_RESOLVE: lambda figures: figures.resolved.as_answer(),
}
"""Metrics of several series: by severity, type, reason, channel and status, or by what is told of the durations."""

PARTS: Final[Mapping[Metric, tuple[str, ...]]] = {
    Metric.BY_SEVERITY: ("by_severity",),
    Metric.BY_TYPE: ("by_type",),
    Metric.WITHHELD: ("withheld",),
    Metric.SUPPRESSION_EFFECTIVENESS: ("withheld",),
    Metric.HEALTH: ("withheld",),
    Metric.DELIVERIES: ("deliveries",),
    Metric.TIME_TO_ACKNOWLEDGE: ("acknowledged",),
    Metric.TIME_TO_RESOLVE: ("resolved",),
}
"""What has to be read for a metric beside plain counts."""

TIMES: Final = frozenset({Metric.TIME_TO_ACKNOWLEDGE, Metric.TIME_TO_RESOLVE})


def unit(metric: Metric) -> str:
    """What its values are."""
    if metric in TIMES:
        return "seconds"
    if metric is Metric.HEALTH:
        return "points"
    is_share = metric.endswith("_rate") or metric is Metric.SUPPRESSION_EFFECTIVENESS
    return "share" if is_share else "count"


def series(metric: Metric, buckets: Sequence[Figures]) -> list[dict[str, Any]]:
    """One value for each bucket: 0 where nothing was counted, null where there is nothing to tell of."""
    if (one := ONE.get(metric)) is not None:
        return [{"name": metric.value, "values": [one(figures) for figures in buckets]}]
    told = [MANY[metric](figures) for figures in buckets]
    names = list(dict.fromkeys(name for each in told for name in each))
    absent = None if metric in TIMES else 0
    return [{"name": name, "values": [each.get(name, absent) for each in told]} for name in names]


COLUMNS: Final = (
    "from", "framework_id", "framework", "alerts", *(f"alerts_{each.value}" for each in Severity), "folded", "told",
    "withheld", "withheld_duplicate", "withheld_acknowledged", "withheld_silenced", "withheld_closed_by_person",
    "acknowledged", "acknowledge_avg", "acknowledge_p50", "acknowledge_p95",
    "resolved", "resolve_avg", "resolve_p50", "resolve_p95",
    "acknowledged_rate", "resolved_rate", "false_positive_rate", "suppression_effectiveness",
    "delivered", "failed", "quarantined", "health",
)  # fmt: skip


def as_csv(rows: Iterable[tuple[dt.datetime, uuid.UUID, str, Figures]]) -> str:
    """A row for each bucket and framework in which anything was counted. Empty cells are what nothing is known of."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(COLUMNS)
    for at, framework_id, name, figures in rows:
        writer.writerow(["" if cell is None else cell for cell in _cells(at, framework_id, name, figures)])
    return written.getvalue()


def _cells(at: dt.datetime, framework_id: uuid.UUID, name: str, figures: Figures) -> list[object]:
    withheld = figures.withheld
    reasons = ("duplicate", "acknowledged", "silenced", "closed_by_person")
    settled = {
        status: sum(count for key, count in figures.deliveries.items() if key.endswith(f"/{status}"))
        for status in ("delivered", "failed", "quarantined")
    }
    return [
        at.isoformat(),
        framework_id,
        _plain(name),
        figures.alerts,
        *(figures.by_severity.get(each.value, 0) for each in Severity),
        figures.folded,
        figures.told,
        sum(withheld.values()),
        *(withheld.get(reason, 0) for reason in reasons),
        figures.acknowledged.count,
        *figures.acknowledged.as_answer().values(),
        figures.resolved.count,
        *figures.resolved.as_answer().values(),
        *figures.rates().values(),
        *settled.values(),
        health(figures).score,
    ]


def _plain(name: str) -> str:
    """A name that no spreadsheet takes for a formula."""
    return f"'{name}" if name[:1] in ("=", "+", "-", "@", "\t", "\r") else name
