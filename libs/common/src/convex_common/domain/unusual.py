"""Anomaly rules: when what a detector says of a value fires, and when that is over.

A score stands out once: what follows of the same event is less new, and scores nothing. So a score begins it, and
after that the band decides: it is over once three values in a row lie within it, as it is by then or as it was when
this began, since what is unusual moves it for a while. What lasts for a day is how things are now, and no event any
more.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from convex_common.domain.conditions import Evaluation, Mark, Outcome
from convex_common.domain.rule import Condition, Rule
from convex_detection.score import Reason, Score, sentence

CALM: Final = 3
"""Usual values in a row after which it is over."""

LONGEST: Final = 86_400.0
"""Seconds after which it is over whatever the values are."""


def evaluate(rule: Rule, mark: Mark, value: float, at: float, score: Score) -> Evaluation:
    """Decide on a value at a time in seconds, with what the detector said of it."""
    if not mark.firing and mark.pending_since is None:
        if stands_out(rule, value, score):
            return _goes_on(rule, Mark(since=at, score=score.value, low=score.low, high=score.high), at, value)
        return Evaluation(Outcome.NOTHING, Mark(), value)
    if mark.since is not None and at - mark.since > LONGEST:
        return _over(mark, value)
    if stands_out(rule, value, score) or _outside(rule, mark, value, score):
        return _goes_on(rule, mark, at, value)
    calm = mark.calm + 1
    if calm < CALM:
        return Evaluation(Outcome.NOTHING, msgspec.structs.replace(mark, calm=calm), value)
    return _over(mark, value)


def stands_out(rule: Rule, value: float, score: Score) -> bool:
    """Whether a value is unusual enough for the rule, on its side of what is expected, and beyond its threshold."""
    return score.value >= rule.bar.needed and score.value > 0.0 and _concerns(rule, value, score)


def evidence(rule: Rule, value: float, score: Score, began_with: float) -> dict[str, Any]:
    """What an alert's context shows of it: the score that it began with, what was expected, and why, in words.

    Where verdicts have raised the bar, it says so.
    """
    bar = rule.bar
    why = _why(value, score)
    told: dict[str, Any] = {
        "metric": rule.metric,
        "value": value,
        "score": round(began_with, 4),
        "expected": score.expected,
        "low": score.low,
        "high": score.high,
        "confidence": round(score.confidence, 4),
        "reason": score.reason.value,
        "why": f"{why}; {bar.words}" if bar.words else why,
    }
    return told | ({"threshold": bar.needed, "usual_threshold": bar.usual} if bar.raised else {})


def _why(value: float, score: Score) -> str:
    if score.reason not in (Reason.USUAL, Reason.RESTING):
        return sentence(value, score)
    usual = "" if score.low is None or score.high is None else f" (usual: {score.low:.4g} to {score.high:.4g})"
    return f"{value:.4g} is unusual{usual}"


def _goes_on(rule: Rule, mark: Mark, at: float, value: float) -> Evaluation:
    since = at if mark.since is None else mark.since
    goes_on = msgspec.structs.replace(mark, since=since, calm=0)
    if mark.firing or at - since >= rule.for_seconds:
        return Evaluation(Outcome.FIRES, msgspec.structs.replace(goes_on, firing=True, pending_since=None), value)
    return Evaluation(Outcome.PENDING, msgspec.structs.replace(goes_on, pending_since=since), value)


def _over(mark: Mark, value: float) -> Evaluation:
    return Evaluation(Outcome.CLEARS if mark.firing else Outcome.NOTHING, Mark(), value)


def _outside(rule: Rule, mark: Mark, value: float, score: Score) -> bool:
    """Whether a value lies outside of the band that is usual now, and of the one when it began, on the rule's side."""
    if score.low is None or score.high is None or score.low <= value <= score.high:
        return False
    if mark.low is not None and mark.high is not None and mark.low <= value <= mark.high:
        return False
    return _concerns(rule, value, score)


def _concerns(rule: Rule, value: float, score: Score) -> bool:
    expected, limit = score.expected, rule.threshold_value
    if rule.condition is Condition.ABOVE:
        return (expected is None or value > expected) and (limit is None or value > limit)
    if rule.condition is Condition.BELOW:
        return (expected is None or value < expected) and (limit is None or value < limit)
    return True
