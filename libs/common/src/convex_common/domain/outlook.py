"""Forecast rules: how probable it is that a series passes the limit within the horizon, and when about. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from convex_common.domain.conditions import Evaluation, Mark, Outcome, Sample, breaches
from convex_common.domain.rule import HORIZON_SECONDS, PROBABILITY, Condition, Rule

OVER: Final = 0.6
"""The share of the rule's probability below which a breach is expected no more: between the two nothing changes."""

_OFTEN, _RARELY = 60.0, 900.0
_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Prospect:
    """How probable the breach is within the horizon; the times are seconds from the last value, if it comes.

    `early` and `late` hold four fifths of the cases. `breached`: the last value is beyond the limit already.
    """

    probability: float
    median: float | None
    early: float | None
    late: float | None
    breached: bool
    model: str


def look_back(rule: Rule) -> float:
    """Seconds of the past that a look ahead needs: twelve horizons, a day at least and a month at most."""
    return min(30 * _DAY, max(_DAY, 12.0 * (rule.horizon_seconds or HORIZON_SECONDS)))


def every(rule: Rule) -> float:
    """How often it is looked ahead at most, in seconds: fifty times within the horizon, at least each quarter hour."""
    return min(_RARELY, max(_OFTEN, (rule.horizon_seconds or HORIZON_SECONDS) / 50))


def foresee(rule: Rule, samples: Sequence[Sample]) -> Prospect | None:
    """What the series' past says of the limit; None where it is too short to say anything."""
    # Loaded here, so that numpy is loaded only by who looks ahead.
    from convex_detection.forecast import look_ahead
    from convex_detection.grid import TooLittle

    if not samples or rule.threshold_value is None:
        return None
    if breaches(rule, samples[-1][1]):
        return Prospect(1.0, 0.0, 0.0, 0.0, breached=True, model="the last value")
    horizon = float(rule.horizon_seconds or HORIZON_SECONDS)
    try:
        ahead = look_ahead([at for at, _ in samples], [value for _, value in samples], horizon=horizon)
        breach = ahead.time_to_threshold(
            rule.threshold_value, within=horizon, above=rule.condition is not Condition.BELOW
        )
    except TooLittle:
        return None
    return Prospect(breach.probability, breach.median, breach.early, breach.late, breached=False, model=ahead.model)


def evaluate(rule: Rule, mark: Mark, prospect: Prospect) -> Evaluation:
    """Decide on a look ahead."""
    needed = PROBABILITY if rule.probability is None else rule.probability
    if prospect.probability >= needed:
        return Evaluation(Outcome.FIRES, msgspec.structs.replace(mark, firing=True), None)
    if mark.firing and prospect.probability <= OVER * needed:
        return Evaluation(Outcome.CLEARS, msgspec.structs.replace(mark, firing=False), None)
    return Evaluation(Outcome.NOTHING, mark, None)


def evidence(rule: Rule, prospect: Prospect) -> dict[str, Any]:
    """What an alert's context shows of it, and why, in words."""
    return {
        "metric": rule.metric,
        "probability": round(prospect.probability, 4),
        "horizon_seconds": rule.horizon_seconds or HORIZON_SECONDS,
        "breach_seconds": prospect.median,
        "earliest_seconds": prospect.early,
        "latest_seconds": prospect.late,
        "breached": prospect.breached,
        "model": prospect.model,
        "why": said(rule, prospect),
    }


def said(rule: Rule, prospect: Prospect) -> str:
    """In a sentence: `disk_used above 90 in about 40 min (30-55), with a probability of 93 %`."""
    limit = f"{rule.metric} {rule.condition.value} {rule.threshold_value:g}"
    if prospect.breached:
        return f"{limit} already"
    chance = f"with a probability of {min(99, round(100 * prospect.probability))} %"
    when = within(prospect)
    return f"{limit} {when}, {chance}" if when else f"{limit}, {chance}"


def within(prospect: Prospect) -> str:
    """`in about 40 min (30-55)`; empty where there is no time to name."""
    if prospect.median is None or prospect.early is None or prospect.late is None:
        return ""
    seconds, unit = _unit(prospect.median)
    about, early, late = (round(time / seconds) for time in (prospect.median, prospect.early, prospect.late))
    if about < 1:
        return "within a minute"
    return f"in about {about} {unit}" + ("" if early == late else f" ({early}-{late})")


def _unit(seconds: float) -> tuple[float, str]:
    if seconds < 2 * 3600:
        return 60.0, "min"
    return (3600.0, "h") if seconds < 2 * 86_400 else (86_400.0, "days")
