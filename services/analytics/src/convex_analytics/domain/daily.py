"""A day of a framework's alerts in figures. Pure."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from convex_common.domain.severity import Severity


class Response(StrEnum):
    """What ended the waiting; the alert log's event."""

    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Opened:
    """How many alerts of a severity and type a framework opened; the severity is the one they began with."""

    framework_id: uuid.UUID
    severity: str
    alert_type: str
    alerts: int


@dataclass(frozen=True, slots=True)
class Occurrences:
    """How often a framework's conditions occurred, folds included."""

    framework_id: uuid.UUID
    count: int


@dataclass(frozen=True, slots=True)
class Responded:
    """One alert was acknowledged or resolved so many seconds after it fired."""

    framework_id: uuid.UUID
    response: Response
    seconds: float


@dataclass(frozen=True, slots=True)
class Durations:
    """Average, median and 95th percentile in seconds; None where nothing was measured."""

    avg: float | None = None
    p50: float | None = None
    p95: float | None = None

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Durations:
        """To the millisecond; percentiles between two values are interpolated."""
        ordered = sorted(max(0.0, value) for value in seconds)
        if not ordered:
            return cls()
        return cls(
            avg=round(sum(ordered) / len(ordered), 3),
            p50=round(percentile(ordered, 0.5), 3),
            p95=round(percentile(ordered, 0.95), 3),
        )

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
    opened: Iterable[Opened], occurrences: Iterable[Occurrences], responses: Iterable[Responded]
) -> list[FrameworkDay]:
    """One row per framework on which anything happened, in the order of their ids; none for a quiet one."""
    alerts: dict[uuid.UUID, list[Opened]] = {}
    occurred: dict[uuid.UUID, int] = {}
    responded: dict[uuid.UUID, dict[Response, list[float]]] = {}
    for one in opened:
        alerts.setdefault(one.framework_id, []).append(one)
    for many in occurrences:
        if many.count == 0:  # its alerts changed, and their conditions did not occur again
            continue
        occurred[many.framework_id] = occurred.get(many.framework_id, 0) + many.count
    for each in responses:
        responded.setdefault(each.framework_id, {}).setdefault(each.response, []).append(each.seconds)
    return [
        _of_framework(
            framework_id, alerts.get(framework_id, ()), occurred.get(framework_id, 0), responded.get(framework_id, {})
        )
        for framework_id in sorted({*alerts, *occurred, *responded})
    ]


def percentile(ordered: Sequence[float], fraction: float) -> float:
    """The value below which `fraction` of the ascending values lie, interpolated linearly; there must be one."""
    place = fraction * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _of_framework(
    framework_id: uuid.UUID, opened: Sequence[Opened], occurrences: int, responded: Mapping[Response, Sequence[float]]
) -> FrameworkDay:
    acknowledged = responded.get(Response.ACKNOWLEDGED, ())
    resolved = responded.get(Response.RESOLVED, ())
    by_severity = _summed((one.severity, one.alerts) for one in opened)
    return FrameworkDay(
        framework_id=framework_id,
        alerts=sum(one.alerts for one in opened),
        occurrences=occurrences,
        acknowledged=len(acknowledged),
        resolved=len(resolved),
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
