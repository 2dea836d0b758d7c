"""Conditions: whether an observation fires a rule, clears it, or neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

import msgspec

from convex_common.domain.rule import Aggregation, Condition, Rule

MAX_RECENT = 600

Sample = tuple[float, float]  # (seconds since the epoch, value)


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """Where a rule stands on a series: firing or not, and since when the condition holds without firing yet.

    The rest belongs to rules that learn: `since` when it goes on, with which `score` it began and from `low` to `high`
    which band was usual then, how many values were `calm` in a row; and when a forecast was asked for last. Times in
    seconds since the epoch.
    """

    firing: bool = False
    pending_since: float | None = None
    since: float | None = None
    score: float = 0.0
    low: float | None = None
    high: float | None = None
    calm: int = 0
    asked_at: float | None = None


class SeriesState(msgspec.Struct, frozen=True):
    """What is kept of a series between observations: the values of the widest window, and a mark per rule id."""

    recent: list[Sample] = []
    marks: dict[str, Mark] = {}


class Outcome(Enum):
    """What an observation means for a rule."""

    FIRES = auto()
    CLEARS = auto()
    PENDING = auto()
    NOTHING = auto()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The outcome, the new mark, and the value that was compared (None where there was none to compare)."""

    outcome: Outcome
    mark: Mark
    compared: float | None


def evaluate(rule: Rule, mark: Mark, recent: Sequence[Sample], previous: float | None) -> Evaluation:
    """Decide on the last of `recent`; `previous` is the value before it.

    A breach fires at once, or once it has held for `for_seconds` by the observations' own times. Between the limit and
    the clear value nothing changes.
    """
    at = recent[-1][0]
    compared = compared_value(rule, recent, previous)
    if compared is None:
        return Evaluation(Outcome.NOTHING, mark, None)
    if breaches(rule, compared):
        return _breach(rule, mark, at, compared)
    if mark.firing and clears(rule, compared):
        return Evaluation(Outcome.CLEARS, Mark(), compared)
    if mark.firing:
        return Evaluation(Outcome.NOTHING, mark, compared)
    return Evaluation(Outcome.NOTHING, Mark(), compared)


def held(rule: Rule, mark: Mark, since: float) -> bool:
    """Whether a hold that began at `since` still stands when its time is up."""
    return not mark.firing and mark.pending_since == since and rule.for_seconds > 0


def _breach(rule: Rule, mark: Mark, at: float, compared: float) -> Evaluation:
    if mark.firing:
        return Evaluation(Outcome.FIRES, mark, compared)
    since = at if mark.pending_since is None else mark.pending_since
    if at - since >= rule.for_seconds:
        return Evaluation(Outcome.FIRES, Mark(firing=True), compared)
    return Evaluation(Outcome.PENDING, Mark(pending_since=since), compared)


def breaches(rule: Rule, compared: float) -> bool:
    """Whether the condition holds for a compared value: a value, or for changes_by a percentage."""
    limit = rule.limit
    if limit is None:
        return False
    if rule.condition is Condition.ABOVE:
        return compared > limit
    if rule.condition is Condition.BELOW:
        return compared < limit
    if rule.condition is Condition.EQUALS:
        return compared == limit
    return compared >= limit


def clears(rule: Rule, compared: float) -> bool:
    """Whether a compared value ends a firing: past the clear value where the rule has one, else past the limit.

    For `equals` the clear value may lie on either side of the limit; what is not between the two has cleared.
    """
    if rule.clear_value is None:
        return not breaches(rule, compared)
    if rule.condition is Condition.BELOW:
        return compared >= rule.clear_value
    if rule.condition is Condition.EQUALS and rule.limit is not None:
        return not (rule.limit < compared < rule.clear_value or rule.clear_value < compared < rule.limit)
    return compared <= rule.clear_value


def compared_value(rule: Rule, recent: Sequence[Sample], previous: float | None) -> float | None:
    """What is held against the limit: the value, its window's aggregate, or for changes_by the change in percent.

    A change is counted from the previous value, or from the oldest value of the window; from zero any change is
    infinite. None where there is nothing to compare with yet.
    """
    at, value = recent[-1]
    window = [sample for when, sample in recent if rule.window_seconds and when > at - rule.window_seconds]
    if rule.condition is Condition.CHANGES_BY:
        reference = (window[0] if len(window) > 1 else None) if rule.window_seconds else previous
        if reference is None:
            return None
        if reference == 0:
            return float("inf") if value != 0 else 0.0
        return abs(value - reference) / abs(reference) * 100
    return aggregate(rule.aggregation or Aggregation.AVG, window) if rule.window_seconds else value


def aggregate(how: Aggregation, values: Sequence[float]) -> float:
    """One value of many; `values` is never empty."""
    if how is Aggregation.MIN:
        return min(values)
    if how is Aggregation.MAX:
        return max(values)
    if how is Aggregation.SUM:
        return sum(values)
    if how is Aggregation.COUNT:
        return float(len(values))
    if how is Aggregation.LAST:
        return values[-1]
    return sum(values) / len(values)


def remembered(recent: Sequence[Sample], sample: Sample, window_seconds: int) -> list[Sample]:
    """The samples to keep with a new one: those of the widest window, the newest 600 at most."""
    kept = [old for old in recent if old[0] > sample[0] - window_seconds] if window_seconds else []
    return [*kept, sample][-MAX_RECENT:]
