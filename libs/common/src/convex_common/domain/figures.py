"""What is told of alerts over a period: counts, rates, how long it took, and a framework's health. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from convex_common.domain.durations import Durations


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Counts that can be added up.

    What happened counts when it happened. What became of alerts (`followed` and after) counts when they opened: of the
    alerts of a period, so many were answered and so many were false alarms, whenever that was.
    """

    alerts: int = 0
    folded: int = 0
    told: int = 0
    told_again: int = 0
    followed: int = 0
    answered: int = 0
    ended: int = 0
    judged: int = 0
    false_alarms: int = 0
    acknowledged: Durations = field(default_factory=Durations)
    resolved: Durations = field(default_factory=Durations)
    by_severity: Mapping[str, int] = field(default_factory=dict)
    by_type: Mapping[str, int] = field(default_factory=dict)
    by_rule: Mapping[str, int] = field(default_factory=dict)
    withheld: Mapping[str, int] = field(default_factory=dict)
    deliveries: Mapping[str, int] = field(default_factory=dict)

    @property
    def acknowledged_rate(self) -> float | None:
        """Of the alerts that opened, how many somebody acknowledged."""
        return _rate(self.answered, self.followed)

    @property
    def resolved_rate(self) -> float | None:
        """Of the alerts that opened, how many are over."""
        return _rate(self.ended, self.followed)

    @property
    def false_positive_rate(self) -> float | None:
        """Of the alerts that people judged, how many more of them called a false alarm than useful."""
        return _rate(self.false_alarms, self.judged)

    @property
    def suppression_effectiveness(self) -> float | None:
        """Of the triggers that could have disturbed somebody once more, how many did not."""
        withheld = sum(self.withheld.values())
        return _rate(withheld, withheld + self.told_again)

    def rates(self) -> dict[str, float | None]:
        """All of them, from 0 to 1."""
        return {
            "acknowledged": self.acknowledged_rate,
            "resolved": self.resolved_rate,
            "false_positive": self.false_positive_rate,
            "suppression_effectiveness": self.suppression_effectiveness,
        }

    def __add__(self, other: Figures) -> Figures:
        return total((self, other))


def total(each: Iterable[Figures]) -> Figures:
    """All of them together."""
    listed = list(each)
    added: dict[str, Any] = {name: sum(getattr(one, name) for one in listed) for name in COUNTS}
    added |= {name: _durations([getattr(one, name) for one in listed]) for name in TIMES}
    added |= {name: _summed([getattr(one, name) for one in listed]) for name in PARTS}
    return Figures(**added)


COUNTS: Final = ("alerts", "folded", "told", "told_again", "followed", "answered", "ended", "judged", "false_alarms")
TIMES: Final = ("acknowledged", "resolved")
PARTS: Final = ("by_severity", "by_type", "by_rule", "withheld", "deliveries")

POINTS: Final = 25.0
"""What each part of the health is worth."""
_LEAST: Final = {"acknowledged": 0.80, "resolved": 0.85, "suppression_effectiveness": 0.70}
_MOST_FALSE: Final = 0.10
_ALL_FALSE: Final = 0.50


@dataclass(frozen=True, slots=True)
class Health:
    """0 to 100, and what each part gives of its 25 points; None where nothing is known of it.

    What is not known neither helps nor harms: the score is what the known parts give, out of what they could give.
    """

    score: float | None
    parts: Mapping[str, float | None]

    def as_answer(self) -> dict[str, Any]:
        """As it is shown."""
        return {"score": self.score, "parts": dict(self.parts)}


def health(figures: Figures) -> Health:
    """Full points above 80 % acknowledged, 85 % resolved, 70 % suppression effectiveness, and below 10 % false alarms.

    Below a target points fall in proportion; with false alarms, in a straight line to none at half of all verdicts.
    """
    parts = {
        name: None if rate is None else round(POINTS * _share(name, rate), 2) for name, rate in figures.rates().items()
    }
    known = [points for points in parts.values() if points is not None]
    score = round(100 * sum(known) / (POINTS * len(known)), 1) if known else None
    return Health(score, parts)


def _share(name: str, rate: float) -> float:
    if name == "false_positive":
        return 1 - min(1.0, max(0.0, (rate - _MOST_FALSE) / (_ALL_FALSE - _MOST_FALSE)))
    return min(1.0, rate / _LEAST[name])


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _durations(each: Iterable[Durations]) -> Durations:
    listed = list(each)
    return Durations(
        sum(one.count for one in listed),
        sum(one.total for one in listed),
        _summed([one.buckets for one in listed]),
    )


def _summed(counts: Iterable[Mapping[Any, int]]) -> dict[Any, int]:
    found: dict[Any, int] = {}
    for each in counts:
        for name, count in each.items():
            found[name] = found.get(name, 0) + count
    return found
