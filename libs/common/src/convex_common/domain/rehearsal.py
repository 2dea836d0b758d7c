"""A rule before and after a change, decided anew on the observations that are kept. Pure.

Alerts on record tell only of what fired, observations tell of what would have: each series is gone through by the code
that the processor decides with, once as the rule is and once as it would be, and what fires is replayed.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from convex_common.domain.backtest import lead_in, try_out
from convex_common.domain.conditions import Sample
from convex_common.domain.fingerprint import fingerprint
from convex_common.domain.replay import Outcome, Setting, Span, replay
from convex_common.domain.rule import AlertType, Rule
from convex_common.domain.severity import Severity

LAG: Final = dt.timedelta(minutes=1)
"""An alert is on record when it was decided, not when it was observed: by so much the two may lie apart."""

AFTERWARDS: Final = frozenset({"suppression_seconds", "severity", "enabled"})
"""What of a rule has no say in when it fires."""


class Basis(StrEnum):
    """What a preview was worked out from."""

    OBSERVATIONS = "observations"
    ALERTS = "alerts"


class Why(StrEnum):
    """Why a preview goes by the alerts on record instead of the observations."""

    NOT_OBSERVED = "no observation of the rule's metric is kept"
    FORECAST = "looking ahead from each moment of weeks takes too long"
    NEVER_FIRED = "on the observations that are kept the rule does not fire"


@dataclass(frozen=True, slots=True)
class Observed:
    """One series that a rule looks at, the oldest value first. `cut`: older ones are kept, and are left out."""

    labels: Mapping[str, str]
    samples: Sequence[Sample]
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of both since then."""

    since: dt.datetime
    before: Outcome
    after: Outcome


def changed(rule: Rule, change: Mapping[str, Any]) -> Rule:
    """The rule with other values of some fields."""
    values: dict[str, Any] = {name: Severity(value) if name == "severity" else value for name, value in change.items()}
    return replace(rule, **values)


def setting(rule: Rule) -> Setting:
    """What is replayed of a rule."""
    return Setting(rule.for_seconds, rule.suppression_seconds, rule.severity, rule.enabled)


def rehearse(
    workspace_id: uuid.UUID,
    rule: Rule,
    change: Mapping[str, Any],
    observed: Sequence[Observed],
    on_record: Sequence[Span],
    now: dt.datetime,
) -> Rehearsal | Why:
    """Both outcomes, or why there are none. What people said of an alert counts for what fires at its time."""
    if rule.alert_type is AlertType.FORECAST:
        return Why.FORECAST
    seen = [one for one in observed if one.samples]
    if not seen:
        return Why.NOT_OBSERVED
    proposed, end = changed(rule, change), now.timestamp()
    begin = _begin(max(lead_in(rule), lead_in(proposed)), seen, end)
    present = _spans(workspace_id, rule, seen, on_record, begin, end)
    then = present
    if not change.keys() <= AFTERWARDS:
        then = _spans(workspace_id, proposed, seen, on_record, begin, end)
    if not present and not then:
        return Why.NEVER_FIRED
    return Rehearsal(
        dt.datetime.fromtimestamp(begin, dt.UTC),
        replay(present, setting(rule), setting(rule), now),
        replay(then, setting(proposed), setting(proposed), now),
    )


def _begin(before: float, seen: Sequence[Observed], end: float) -> float:
    """From when on every series is known, with the seconds before that a rule has to see; half of them at least."""
    starts = [one.samples[0][0] for one in seen if one.cut] or [min(one.samples[0][0] for one in seen)]
    first = max(starts)
    return first + min(before, max(0.0, end - first) / 2)


def _spans(
    workspace_id: uuid.UUID,
    rule: Rule,
    seen: Sequence[Observed],
    on_record: Sequence[Span],
    begin: float,
    end: float,
) -> list[Span]:
    by_fingerprint: dict[bytes, list[Span]] = {}
    for span in on_record:
        by_fingerprint.setdefault(span.fingerprint, []).append(span)
    found = []
    for one in seen:
        key = fingerprint(workspace_id, rule.framework_id, rule.id, one.labels)
        known = by_fingerprint.get(key, [])
        for firing in try_out(rule, one.samples, begin, end).firings:
            began = dt.datetime.fromtimestamp(firing.began, dt.UTC)
            ended = None if firing.ended is None else dt.datetime.fromtimestamp(firing.ended, dt.UTC)
            found.append(_judged(Span(fingerprint=key, began_at=began, ended_at=ended), known))
    return found


def _judged(fired: Span, known: Sequence[Span]) -> Span:
    """With what people made of the alerts of its time; where some call it useful and others not, it was useful."""
    same = [
        one
        for one in known
        if (fired.ended_at is None or one.began_at <= fired.ended_at + LAG)
        and (one.ended_at is None or one.ended_at >= fired.began_at - LAG)
    ]
    said = [one.useful for one in same if one.useful is not None]
    return replace(fired, acknowledged=any(one.acknowledged for one in same), useful=any(said) if said else None)
