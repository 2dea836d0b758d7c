"""What a process has counted for each workspace since it last told the others: deltas, not totals."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from convex_common.metrics import LATENCY_MS_BUCKETS

BUCKETS: Final = (*LATENCY_MS_BUCKETS, float("inf"))

Key = tuple[UUID, str, str]
"""A workspace, a measure's name and its label, empty where it has none."""


@dataclass
class Distribution:
    """How many values fell into each bucket (upper bounds in ms, the last one infinite), and their sum."""

    counts: list[int] = field(default_factory=lambda: [0] * len(BUCKETS))
    total: float = 0.0


@dataclass(frozen=True)
class Deltas:
    """What was gathered between two calls of `take`."""

    counts: dict[Key, int]
    distributions: dict[Key, Distribution]

    def __bool__(self) -> bool:
        return bool(self.counts or self.distributions)


class Measures:
    """Counts and millisecond latencies by workspace. Thread-safe, and bounded by the number of workspaces' labels."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[Key] = Counter()
        self._distributions: dict[Key, Distribution] = {}

    def count(self, workspace_id: UUID, name: str, label: str = "", by: int = 1) -> None:
        """One more, or `by` more."""
        with self._lock:
            self._counts[workspace_id, name, label] += by

    def observe(self, workspace_id: UUID, name: str, milliseconds: float, label: str = "") -> None:
        """One value of a latency."""
        with self._lock:
            distribution = self._distributions.setdefault((workspace_id, name, label), Distribution())
            distribution.counts[bisect_left(BUCKETS, milliseconds)] += 1
            distribution.total += milliseconds

    def take(self) -> Deltas:
        """Everything since the last call; it is the caller's from now on."""
        with self._lock:
            deltas = Deltas(dict(self._counts), self._distributions)
            self._counts, self._distributions = Counter(), {}
        return deltas
