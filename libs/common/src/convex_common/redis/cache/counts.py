"""What caches count, for Prometheus and for each workspace's own figures."""

from __future__ import annotations

from uuid import UUID

from convex_common.measures import CACHE_ERRORS, CACHE_HITS, CACHE_MISSES, Measures
from convex_common.metrics import Metrics


class CacheCounts:
    """Of one class. Caches that live in a process count here as well."""

    def __init__(self, name: str, metrics: Metrics, measures: Measures | None = None) -> None:
        self._name = name
        self._measures = measures
        self._hits = metrics.cache_hits.labels(name)
        self._misses = metrics.cache_misses.labels(name)
        self._errors = metrics.cache_errors.labels(name)

    def hit(self, workspace_id: UUID, by: int = 1) -> None:
        """Looked up and found, still good."""
        self._hits.inc(by)
        if self._measures is not None:
            self._measures.count(workspace_id, CACHE_HITS, self._name, by)

    def miss(self, workspace_id: UUID, by: int = 1) -> None:
        """Looked up and not found, or not good any more."""
        self._misses.inc(by)
        if self._measures is not None:
            self._measures.count(workspace_id, CACHE_MISSES, self._name, by)

    def error(self, workspace_id: UUID) -> None:
        """Redis was away, too late, or full of nonsense; a miss besides."""
        self._errors.inc()
        if self._measures is not None:
            self._measures.count(workspace_id, CACHE_ERRORS, self._name)
