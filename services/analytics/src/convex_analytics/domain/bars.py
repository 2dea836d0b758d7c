"""How verdicts move the bar of an anomaly rule: slowly, within limits, and back again. Pure.

A bar has five steps between where the rule's sensitivity puts it and half of what is left to a score of one. The step
that it should be on follows from the verdicts of eight weeks and from nothing else: the lowest one from which on false
alarms are no longer proven to be too many of what is told, but none that would hide an alert that people called useful.
It goes there by one step a day at most.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from convex_analytics.domain.patterns.significance import at_least
from convex_common.domain.bar import Raised
from convex_common.domain.severity import Severity

STEPS: Final = 5
ROOM: Final = 0.5
"""Of what lies between the usual bar and a score of one, the share that it may be raised by."""
FEWEST: Final = 5
"""Verdicts, below which nothing is concluded."""
TOLERATED: Final = 0.3
"""The share of false alarms that has to be exceeded with a probability of 95 %."""
APART: Final = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Judged:
    """An alert that people have judged, and the score that it began with."""

    score: float
    useful: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """What of a rule matters here, with the verdicts on its alerts."""

    sensitivity: float
    severity: Severity
    heeds_verdicts: bool
    raised: Raised | None
    judged: Sequence[Judged]


def moved(rule: Judgement, now: dt.datetime) -> Raised | None:
    """What the rule's bar is raised by from now on; the same as before where it is not to be moved."""
    before, length = rule.raised, ROOM * rule.sensitivity / STEPS
    if before is not None and now - before.moved_at < APART:
        return before
    step = 0 if before is None else min(STEPS, round(before.by / length))
    wanted = target(rule)
    if wanted == step:
        return before
    step += 1 if wanted > step else -1
    if step == 0:
        return None
    false_alarms = sum(not one.useful for one in rule.judged)
    return Raised(by=round(step * length, 6), false_alarms=false_alarms, judged=len(rule.judged), moved_at=now)


def target(rule: Judgement) -> int:
    """The step that the bar should be on, whatever it is on."""
    if not rule.heeds_verdicts or rule.severity is Severity.CRITICAL:
        return 0
    usual, length = 1.0 - rule.sensitivity, ROOM * rule.sensitivity / STEPS
    for step in range(STEPS):
        told = [one for one in rule.judged if one.score >= usual + step * length]
        false_alarms = sum(not one.useful for one in told)
        if len(told) < FEWEST or at_least(false_alarms, len(told)) <= TOLERATED:
            return step
        if any(one.useful and one.score < usual + (step + 1) * length for one in rule.judged):
            return step
    return STEPS
