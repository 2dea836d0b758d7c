"""What a rule would have made of a series' past: decided as the processor decides, value by value. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from convex_common.domain import outlook, unusual
from convex_common.domain.conditions import Mark, Outcome, Sample, evaluate, held, remembered
from convex_common.domain.rule import AlertType, Rule
from convex_detection.detector import resume

LOOKS: Final = 48
"""Looks ahead of a forecast rule, however long the period is: each takes some 50 ms."""

LEARNT: Final = 14 * 86_400.0
"""Seconds before the period that an anomaly rule learns from."""

PAST_SAMPLES: Final = 2000


@dataclass(slots=True)
class Firing:
    """One episode, its times in seconds since the epoch; `ended` None: it would still fire."""

    began: float
    value: float
    context: Mapping[str, Any]
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class Usual:
    """What an anomaly rule expected of a value, and the band that would have been usual."""

    at: float
    expected: float
    low: float
    high: float


@dataclass(slots=True)
class Trial:
    """What came of it."""

    firings: list[Firing] = field(default_factory=list)
    band: list[Usual] = field(default_factory=list)

    def began(self, at: float, value: float, context: Mapping[str, Any]) -> None:
        """It fires; what fires already goes on."""
        if not self.firings or self.firings[-1].ended is not None:
            self.firings.append(Firing(at, value, context))

    def ended(self, at: float) -> None:
        """It is over, where it fired."""
        if self.firings and self.firings[-1].ended is None:
            self.firings[-1].ended = at


def lead_in(rule: Rule) -> float:
    """Seconds before a period whose values the rule has to see first."""
    if rule.alert_type is AlertType.ANOMALY:
        return LEARNT
    if rule.alert_type is AlertType.FORECAST:
        return outlook.look_back(rule)
    return float((rule.window_seconds or 0) + rule.for_seconds)


def try_out(rule: Rule, samples: Sequence[Sample], begin: float, end: float) -> Trial:
    """The rule over a series, the oldest value first, with those before `begin` as what it knew.

    Episodes that were over by `begin` do not count; one that went on then does.
    """
    if rule.alert_type is AlertType.ANOMALY:
        trial = _learning(rule, samples, begin)
    elif rule.alert_type is AlertType.FORECAST:
        trial = _looking_ahead(rule, samples, begin, end)
    else:
        trial = _plain(rule, samples, end)
    trial.firings = [one for one in trial.firings if one.ended is None or one.ended > begin]
    return trial


def _plain(rule: Rule, samples: Sequence[Sample], end: float) -> Trial:
    trial, mark = Trial(), Mark()
    recent: list[Sample] = []
    previous: float | None = None
    for at, value in samples:
        mark = _held(rule, mark, at, previous, trial)
        recent = remembered(recent, (at, value), rule.window_seconds or 0)
        found = evaluate(rule, mark, recent, previous)
        mark, previous = found.mark, value
        if found.outcome is Outcome.FIRES:
            trial.began(at, value if found.compared is None else found.compared, {"metric": rule.metric})
        elif found.outcome is Outcome.CLEARS:
            trial.ended(at)
    _held(rule, mark, end, previous, trial)
    return trial


def _held(rule: Rule, mark: Mark, now: float, value: float | None, trial: Trial) -> Mark:
    """A hold that ended between two values fires by its timer."""
    since = mark.pending_since
    if since is None or value is None or now <= since + rule.for_seconds or not held(rule, mark, since):
        return mark
    trial.began(since + rule.for_seconds, value, {"metric": rule.metric})
    return Mark(firing=True)


def _learning(rule: Rule, samples: Sequence[Sample], begin: float) -> Trial:
    trial, mark = Trial(), Mark()
    detector, _ = resume(None)
    for at, value in samples:
        score = detector.update(value, at)
        found = unusual.evaluate(rule, mark, value, at, score)
        mark = found.mark
        if found.outcome is Outcome.FIRES:
            trial.began(at, value, unusual.evidence(rule, value, score, mark.score))
        elif found.outcome is Outcome.CLEARS:
            trial.ended(at)
        if at >= begin and score.expected is not None and score.low is not None and score.high is not None:
            trial.band.append(Usual(at, score.expected, score.low, score.high))
    return trial


def _looking_ahead(rule: Rule, samples: Sequence[Sample], begin: float, end: float) -> Trial:
    trial, mark = Trial(), Mark()
    for known in _moments(rule, samples, begin, end):
        at, value = samples[known - 1]
        past = [sample for sample in samples[:known] if sample[0] > at - outlook.look_back(rule)]
        stride = max(1, len(past) // PAST_SAMPLES)
        prospect = outlook.foresee(rule, past[::-1][::stride][::-1])
        if prospect is None:
            continue
        found = outlook.evaluate(rule, mark, prospect)
        mark = found.mark
        if found.outcome is Outcome.FIRES:
            trial.began(at, value, outlook.evidence(rule, prospect))
        elif found.outcome is Outcome.CLEARS:
            trial.ended(at)
    return trial


def _moments(rule: Rule, samples: Sequence[Sample], begin: float, end: float) -> Iterator[int]:
    """How many values were known at each look ahead."""
    apart = max(outlook.every(rule), (end - begin) / LOOKS)
    asked: float | None = None
    for known, (at, _) in enumerate(samples, 1):
        if at >= begin and (asked is None or at - asked >= apart):
            asked = at
            yield known
