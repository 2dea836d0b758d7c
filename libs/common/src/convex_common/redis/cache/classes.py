"""What is cached: each class with how long it may live, how large a value may be, and what tells that it changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class CacheClass:
    """`name` is the label of its metrics. Raise `format` when values of the same key come to look otherwise.

    A class that is `by_facet` follows the offsets of the live feed, another one a version of its own.
    """

    name: str
    seconds: float
    most_bytes: int = 512 * 1024
    format: int = 1
    by_facet: bool = False


ALERTS: Final = CacheClass("alerts", 300, by_facet=True)
STATISTICS: Final = CacheClass("statistics", 3600)
PATTERNS: Final = CacheClass("patterns", 6 * 3600)
RULES: Final = CacheClass("rules", 600, format=3)

CLASSES: Final = (ALERTS, STATISTICS, PATTERNS, RULES)
