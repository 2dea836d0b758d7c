"""What a process has counted for each workspace since it last told the others: deltas, not totals."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from convex_common.domain.distribution import Distribution
from convex_common.domain.self_audit import of_people

Key = tuple[UUID, str, str]
"""A workspace, a measure's name and its label, empty where it has none."""

ALERT_LATENCY: Final = "alert_latency"
QUEUE_WAIT: Final = "queue_wait"
QUEUE_PROCESSING: Final = "queue_processing"
CACHE_HITS: Final = "cache_hits"
CACHE_MISSES: Final = "cache_misses"
CACHE_ERRORS: Final = "cache_errors"
WS_SENT: Final = "ws_sent"
WS_RECEIVED: Final = "ws_received"
WS_ERRORS: Final = "ws_errors"
WS_CLIENTS: Final = "ws_clients"
WS_SUBSCRIPTIONS: Final = "ws_subscriptions"

INSTALLATION: Final = UUID(int=0)
"""Instead of a workspace, for what belongs to none, such as jobs: only the installation's figures have it."""

LABELLED_BY_ID: Final = frozenset({ALERT_LATENCY})
"""Measures whose labels are a workspace's ids: outside of its recent figures they are summed without them."""

MOST_SERIES: Final = 10_000
"""Series that are told apart between two flushes; further labels are counted without their label."""


@dataclass
class Deltas:
    """What was gathered between two calls of `take`."""

    counts: Counter[Key] = field(default_factory=Counter)
    distributions: dict[Key, Distribution] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.counts or self.distributions)

    def merge(self, other: Deltas) -> None:
        """The other's as well."""
        self.counts.update(other.counts)
        for key, distribution in other.distributions.items():
            self.distributions.setdefault(key, Distribution()).merge(distribution)


class Measures:
    """Counts, millisecond latencies and levels by workspace. Thread-safe, and bounded however long nobody takes.

    Nothing is counted of the self-audit's workspace.
    """

    def __init__(self, most: int = MOST_SERIES) -> None:
        self._lock = threading.Lock()
        self._most = most
        self._deltas = Deltas()
        self._levels: Counter[tuple[UUID, str]] = Counter()

    def count(self, workspace_id: UUID, name: str, label: str = "", by: int = 1) -> None:
        """One more, or `by` more."""
        if not of_people(workspace_id):
            return
        with self._lock:
            counts, key = self._deltas.counts, (workspace_id, name, label)
            before = counts.get(key)  # few looks: a UUID is hashed anew for each
            if before is None:
                counts[self._bounded(counts, key)] += by
            else:
                counts[key] = before + by

    def observe(self, workspace_id: UUID, name: str, milliseconds: float, label: str = "") -> None:
        """One value of a latency."""
        self.observe_all(workspace_id, name, ((label, milliseconds),))

    def observe_all(self, workspace_id: UUID, name: str, values: Iterable[tuple[str, float]]) -> None:
        """A batch's values of a latency, each with its label, under one lock."""
        if not of_people(workspace_id):
            return
        with self._lock:
            distributions = self._deltas.distributions
            for label, milliseconds in values:
                key = self._bounded(distributions, (workspace_id, name, label))
                distribution = distributions.get(key)
                if distribution is None:
                    distribution = distributions[key] = Distribution()
                distribution.add(milliseconds)

    def rise(self, workspace_id: UUID, name: str, by: int = 1) -> None:
        """A level of this process, such as its open sockets, has risen, or fallen where `by` is negative."""
        if not of_people(workspace_id):
            return
        with self._lock:
            key = (workspace_id, name)
            level = self._levels.get(key, 0) + by
            if level:
                self._levels[key] = level
            else:
                self._levels.pop(key, None)

    def levels(self) -> dict[tuple[UUID, str], int]:
        """The levels as they stand; those at 0 are left out."""
        with self._lock:
            return dict(self._levels)

    def take(self) -> Deltas:
        """Everything since the last call; it is the caller's from now on."""
        with self._lock:
            deltas, self._deltas = self._deltas, Deltas()
        return deltas

    def _bounded(self, known: dict[Key, int] | dict[Key, Distribution], key: Key) -> Key:
        return key if key in known or len(known) < self._most else (key[0], key[1], "")
