"""The score that a value needs to fire an anomaly rule, and by how much false alarms have raised it. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from convex_common.domain.severity import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """By how much, after how many false alarms of how many verdicts, and when it was moved last."""

    by: float
    false_alarms: int
    judged: int
    moved_at: dt.datetime

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> Self | None:
        """As it is stored."""
        if stored is None:
            return None
        return cls(
            by=float(stored["by"]),
            false_alarms=int(stored["false_alarms"]),
            judged=int(stored["judged"]),
            moved_at=dt.datetime.fromisoformat(stored["moved_at"]),
        )

    def as_json(self) -> dict[str, Any]:
        """As it is to be stored."""
        return {
            "by": self.by,
            "false_alarms": self.false_alarms,
            "judged": self.judged,
            "moved_at": self.moved_at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Bar:
    """What a value needs, what it would need by the rule's sensitivity alone, and why the two differ."""

    needed: float
    usual: float
    raised: Raised | None = None

    @property
    def words(self) -> str:
        """Of a raised bar, for who reads an alert; nothing where it is where people put it."""
        if self.raised is None:
            return ""
        told = f"after {self.raised.false_alarms} false alarms of {self.raised.judged}"
        return f"threshold {self.needed:.2f} instead of {self.usual:.2f} {told}"


def bar(sensitivity: float, raised: Raised | None, severity: Severity, *, heeds_verdicts: bool) -> Bar:
    """Of a critical rule, and of one that heeds no verdicts, it is where people put it whatever was raised before."""
    usual = 1.0 - sensitivity
    if raised is None or not heeds_verdicts or severity is Severity.CRITICAL:
        return Bar(usual, usual)
    return Bar(usual + raised.by, usual, raised)
