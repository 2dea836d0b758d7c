"""What was found, in one form for all kinds. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from convex_analytics.domain.patterns.history import Subject


class Kind(StrEnum):
    """What it is that repeats."""

    SEASONAL = "seasonal"
    CYCLICAL = "cyclical"
    ESCALATING = "escalating"
    CORRELATED = "correlated"
    TRIGGERED_BY = "triggered_by"
    NOISY = "noisy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One finding. `lead` is the other rule of a pair: of triggered_by the one that comes first."""

    kind: Kind
    subject: Subject
    lead: Subject | None = None
    confidence: int
    occurrences: int
    evidence: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The same for the same finding of the next run, whatever its figures."""
        names = [one.key for one in (self.lead, self.subject) if one is not None]
        return ":".join([self.kind.value, *(sorted(names) if self.kind is Kind.CORRELATED else names)])


def confidence_of(corrected: float) -> int:
    """How sure, from how probable chance is: 57 at one in twenty, five more for each further tenth, 99 at most."""
    return min(99, round(50 + 5 * -math.log10(max(corrected, 1e-30))))
