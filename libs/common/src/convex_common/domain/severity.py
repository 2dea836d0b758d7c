"""How bad it is."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """Ordered from harmless to worst."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info up to 3 for critical."""
        return RANKS[self]

    def exceeds(self, other: Severity) -> bool:
        """Whether this is strictly worse."""
        return RANKS[self] > RANKS[other]


RANKS = {severity: rank for rank, severity in enumerate(Severity)}

# What other tools write into a `severity` label.
FOREIGN = {
    "critical": Severity.CRITICAL,
    "page": Severity.CRITICAL,
    "fatal": Severity.CRITICAL,
    "emergency": Severity.CRITICAL,
    "error": Severity.ERROR,
    "high": Severity.ERROR,
    "major": Severity.ERROR,
    "warning": Severity.WARNING,
    "warn": Severity.WARNING,
    "minor": Severity.WARNING,
    "medium": Severity.WARNING,
    "info": Severity.INFO,
    "informational": Severity.INFO,
    "low": Severity.INFO,
    "none": Severity.INFO,
    "ok": Severity.INFO,
}


def from_label(value: str | None) -> Severity:
    """Another tool's severity label as ours; warning where it has none or one we do not know."""
    return FOREIGN.get((value or "").strip().lower(), Severity.WARNING)
