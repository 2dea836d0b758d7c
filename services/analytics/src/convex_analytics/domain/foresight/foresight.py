"""What is foretold of a framework: three kinds of events within four times, each with its probability and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from convex_analytics.domain.foresight import words
from convex_analytics.domain.foresight.evidence import Evidence, gather
from convex_analytics.domain.foresight.expected import expected
from convex_analytics.domain.foresight.history import History, threshold
from convex_analytics.domain.foresight.odds import HORIZONS, Odds, odds


class Kind(StrEnum):
    """What may happen within the time."""

    NEXT_ALERT = "next_alert"
    ANOMALY = "anomaly"
    ESCALATION = "escalation"


class Risk(StrEnum):
    """How much it should worry somebody."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


_LEVELS: Final[Mapping[Kind, tuple[float, float, float]]] = {
    Kind.NEXT_ALERT: (0.3, 0.7, 1.01),  # an alert more is nobody's emergency
    Kind.ANOMALY: (0.15, 0.4, 0.75),
    Kind.ESCALATION: (0.15, 0.4, 0.75),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One of them. Times are None where they lie beyond a week; `threshold` is an anomaly's alone."""

    kind: Kind
    horizon: dt.timedelta
    probability: float
    risk: Risk
    expected_at: dt.datetime | None
    expected_from: dt.datetime | None
    expected_to: dt.datetime | None
    threshold: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """A framework's predictions, with the evidence, and in words why and what to do."""

    predictions: Sequence[Prediction]
    evidence: Evidence
    reasoning: Sequence[str]
    actions: Sequence[Mapping[str, Any]]

    @property
    def worst(self) -> float:
        """By which frameworks are ranked: the most that an anomaly or an escalation within a day is feared."""
        of_a_day = [one for one in self.predictions if one.horizon == dt.timedelta(days=1)]
        return max(one.probability * (1.0 if one.kind is Kind.ESCALATION else 0.9) for one in of_a_day)


def risk_of(kind: Kind, probability: float) -> Risk:
    """The level of a probability, by what it is a probability of."""
    medium, high, critical = _LEVELS[kind]
    if probability >= critical:
        return Risk.CRITICAL
    if probability >= high:
        return Risk.HIGH
    return Risk.MEDIUM if probability >= medium else Risk.LOW


def foretell(history: History) -> Report:
    """All of it, for any history: an empty one too, of which little is claimed."""
    limit = threshold(history.alerts)
    events = {
        Kind.NEXT_ALERT: history.alerts > 0,
        Kind.ANOMALY: history.alerts > limit,
        Kind.ESCALATION: history.critical > 0,
    }
    found = {kind: odds(history, happened) for kind, happened in events.items()}
    evidence = gather(history, found[Kind.NEXT_ALERT], limit)
    predictions = [
        one
        for kind in Kind
        for one in _predictions(history, kind, found[kind], limit if kind is Kind.ANOMALY else None)
    ]
    return Report(predictions, evidence, words.reasoning(evidence), words.actions(evidence, history))


def _predictions(history: History, kind: Kind, found: Odds, limit: int | None) -> list[Prediction]:
    times = expected(found)

    def at(hours: float | None) -> dt.datetime | None:
        return None if hours is None else history.as_of + dt.timedelta(seconds=round(hours * 3600))

    return [
        Prediction(
            kind=kind,
            horizon=dt.timedelta(hours=horizon),
            probability=round(found.by_horizon[horizon], 4),
            risk=risk_of(kind, found.by_horizon[horizon]),
            expected_at=at(times.median),
            expected_from=at(times.earliest),
            expected_to=at(times.latest),
            threshold=limit,
            reason=words.reason(kind.value, horizon, found, limit),
        )
        for horizon in HORIZONS
    ]
