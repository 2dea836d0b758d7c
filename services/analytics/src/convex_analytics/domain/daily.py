"""A day of a framework's alerts in figures. Pure."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from convex_analytics.domain.quarters import Opened
from convex_common.domain.severity import Severity


class Response(StrEnum):
    """What ended the waiting; the alert log's event."""

    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Occurrences:
    """How often a framework's conditions occurred, folds included."""

    framework_id: uuid.UUID
    count: int


@dataclass(frozen=True, slots=True)
class Took:
    """So many of a framework's alerts were acknowledged or resolved, and how many seconds after they fired: exactly,
    percentiles between two values interpolated."""

    framework_id: uuid.UUID
    response: Response
    count: int
    avg: float
    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Durations:
    """Average, median and 95th percentile in seconds; None where nothing was measured."""

    avg: float | None = None
    p50: float | None = None
    p95: float | None = None

    @classmethod
    def of(cls, took: Took | None) -> Durations:
        """To the millisecond."""
        return cls() if took is None else cls(round(took.avg, 3), round(took.p50, 3), round(took.p95, 3))

    def as_json(self) -> dict[str, float | None]:
        """As it is stored and shown."""
        return {"avg": self.avg, "p50": self.p50, "p95": self.p95}


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameworkDay:
    """The figures of one framework on one UTC day.

    Everything counts on the day it happened: an alert that opened on Monday and was resolved on Tuesday is Monday's
    alert and Tuesday's resolve. `resolved` counts resolves; an alert that was reopened is resolved more than once.
    """

    framework_id: uuid.UUID
    alerts: int = 0
    occurrences: int = 0
    acknowledged: int = 0
    resolved: int = 0
    by_severity: Mapping[str, int] = field(default_factory=dict)
    by_type: Mapping[str, int] = field(default_factory=dict)
    acknowledge_seconds: Durations = field(default_factory=Durations)
    resolve_seconds: Durations = field(default_factory=Durations)


def previous_day(slot: dt.datetime) -> dt.date:
    """The UTC day that is over when a slot comes."""
    return slot.astimezone(dt.UTC).date() - dt.timedelta(days=1)


def summarize(
    opened: Iterable[Opened], occurrences: Iterable[Occurrences], responses: Iterable[Took]
) -> list[FrameworkDay]:
    """One row per framework on which anything happened, in the order of their ids; none for a quiet one."""
    alerts: dict[uuid.UUID, list[Opened]] = {}
    for one in opened:
        alerts.setdefault(one.framework_id, []).append(one)
    # Alerts may change without that their conditions occurred again.
    occurred = {many.framework_id: many.count for many in occurrences if many.count}
    took = {(each.framework_id, each.response): each for each in responses}
    return [
        _of_framework(
            framework_id,
            alerts.get(framework_id, ()),
            occurred.get(framework_id, 0),
            took.get((framework_id, Response.ACKNOWLEDGED)),
            took.get((framework_id, Response.RESOLVED)),
        )
        for framework_id in sorted({*alerts, *occurred, *(framework_id for framework_id, _ in took)})
    ]


def _of_framework(
    framework_id: uuid.UUID,
    opened: Sequence[Opened],
    occurrences: int,
    acknowledged: Took | None,
    resolved: Took | None,
) -> FrameworkDay:
    by_severity = _summed((one.severity, one.alerts) for one in opened)
    return FrameworkDay(
        framework_id=framework_id,
        alerts=sum(one.alerts for one in opened),
        occurrences=occurrences,
        acknowledged=acknowledged.count if acknowledged else 0,
        resolved=resolved.count if resolved else 0,
        by_severity={severity.value: by_severity.get(severity.value, 0) for severity in Severity},
        by_type=_summed((one.alert_type, one.alerts) for one in opened),
        acknowledge_seconds=Durations.of(acknowledged),
        resolve_seconds=Durations.of(resolved),
    )


def _summed(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for name, count in counts:
        totals[name] = totals.get(name, 0) + count
    return totals
