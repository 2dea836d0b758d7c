"""What to do about a pattern, and what of its rule to change. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from convex_analytics.domain.patterns.noisy import Noise
from convex_analytics.domain.patterns.pattern import Kind, Pattern
from convex_common.domain.replay import Outcome, Setting, Span, replay
from convex_common.domain.severity import Severity

HOLDS: Final = (60, 120, 300, 600, 900, 1800)
WINDOWS: Final = (900, 1800, 3600, 7200, 14_400)
WORTH: Final = 0.5
"""A change for quiet has to take away this share of what people were told."""
LOST: Final = 0.05
"""And no more than this share of what they acknowledged; of what they called useful nothing."""


@dataclass(frozen=True, slots=True)
class Advice:
    """The action in words, and the change of the rule: field, present value, proposed value. `expected` is its replay
    on the spans that were there; without a change the action is for people alone."""

    action: str
    change: Mapping[str, Mapping[str, Any]]
    expected: Mapping[str, Any] | None

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {"action": self.action, "change": self.change, "expected": self.expected}


def advise(pattern: Pattern, setting: Setting | None, spans: Sequence[Span], now: dt.datetime) -> Advice:
    """`setting` None: there is no rule here to be changed."""
    if setting is None or not setting.enabled:
        return Advice(_in_words(pattern), {}, None)
    match pattern.kind:
        case Kind.NOISY | Kind.SEASONAL | Kind.CYCLICAL:
            return _quieter(pattern, setting, spans, now)
        case Kind.TRIGGERED_BY if setting.severity is not Severity.INFO:
            lower = _beside(setting.severity, -1)
            return _with(
                f"It follows {_lead(pattern)}, which tells people first: let this one be {lower.value}.",
                setting, {"severity": lower.value}, spans, now,
            )  # fmt: skip
        case Kind.ESCALATING if setting.severity is not Severity.CRITICAL:
            higher = _beside(setting.severity, 1)
            return _with(
                f"{_in_words(pattern)} Until then let it be {higher.value}.",
                setting, {"severity": higher.value}, spans, now,
            )  # fmt: skip
    return Advice(_in_words(pattern), {}, None)


def _quieter(pattern: Pattern, setting: Setting, spans: Sequence[Span], now: dt.datetime) -> Advice:
    """The mildest change that is worth it: a longer hold, then a longer window, then for what nobody heeds a lower
    severity."""
    present = replay(spans, setting, setting, now)
    for field, values, told in (
        ("for_seconds", HOLDS, "Most of it ends by itself: let it hold for {0} before anybody is told."),
        ("suppression_seconds", WINDOWS, "It comes and goes: tell people once in {0}."),
    ):
        for value in values:
            if value <= getattr(setting, field):
                continue
            after = replay(spans, setting, setting.changed({field: value}), now)
            if _worth(present, after):
                return _with(told.format(_length(value)), setting, {field: value}, spans, now)
    reasons = pattern.evidence.get("reasons", {})
    if Noise.NEVER_ACKNOWLEDGED in reasons and setting.severity is not Severity.INFO:
        lower = _beside(setting.severity, -1)
        return _with(
            f"Nobody acknowledges it: let it be {lower.value}.", setting, {"severity": lower.value}, spans, now
        )
    return Advice(_in_words(pattern), {}, None)


def _worth(present: Outcome, after: Outcome) -> bool:
    quieter = present.notified > 0 and after.notified <= (1 - WORTH) * present.notified
    kept = after.acknowledged >= (1 - LOST) * present.acknowledged and after.useful == present.useful
    return quieter and kept


def _with(action: str, setting: Setting, values: Mapping[str, Any], spans: Iterable[Span], now: dt.datetime) -> Advice:
    spans = list(spans)
    change = {field: {"from": getattr(setting, field), "to": value} for field, value in values.items()}
    before, after = replay(spans, setting, setting, now), replay(spans, setting, setting.changed(values), now)
    return Advice(action, change, {"before": asdict(before), "after": asdict(after)})


def _in_words(pattern: Pattern) -> str:
    match pattern.kind:
        case Kind.SEASONAL:
            return "Look for what runs or who comes at that time; plan for it, or silence it for just that span."
        case Kind.CYCLICAL:
            return "Look for what is scheduled with this period: a job, a backup, a renewal, a leak that is restarted."
        case Kind.ESCALATING:
            return "Find the cause before it is urgent: what grows like this does not stop by itself."
        case Kind.CORRELATED:
            return f"It fires together with {_lead(pattern)}: look for one cause, and let one of the two tell people."
        case Kind.TRIGGERED_BY:
            return f"It follows {_lead(pattern)}: mend that one first."
        case Kind.NOISY:
            return "People do not act on it: raise its threshold, or take it away."


def _lead(pattern: Pattern) -> str:
    return pattern.lead.name if pattern.lead else "another rule"


def _beside(severity: Severity, by: int) -> Severity:
    ordered = list(Severity)
    return ordered[severity.rank + by]


def _length(seconds: int) -> str:
    if seconds < 3600:
        return f"{seconds // 60} minute{'s' if seconds >= 120 else ''}"
    return f"{seconds // 3600} hour{'s' if seconds >= 7200 else ''}"
