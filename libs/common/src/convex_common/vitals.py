"""What the health score is made of, taken from what the database counted and what processes measured."""

from __future__ import annotations

from dataclasses import dataclass

from convex_common.contracts import EVENTS_ACCEPTED
from convex_common.domain.health import Vitals
from convex_common.measures import ALERT_LATENCY, CACHE_ERRORS, CACHE_HITS, CACHE_MISSES
from convex_common.postgres.history import History
from convex_common.redis.measures import Measured, Tally


@dataclass(frozen=True, slots=True)
class Lookups:
    """Of a cache, or of a class of it; `hit_rate` in percent of all look-ups, 0 where there were none."""

    hits: int = 0
    misses: int = 0
    errors: int = 0

    @property
    def hit_rate(self) -> float:
        """A look-up that failed is a miss to whoever asked."""
        asked = self.hits + self.misses
        return round(100 * self.hits / asked, 2) if asked else 0.0


def lookups(tally: Tally) -> Lookups:
    """Over all classes."""
    return Lookups(*(tally.sum(name) for name in (CACHE_HITS, CACHE_MISSES, CACHE_ERRORS)))


def lookups_by_class(tally: Tally) -> dict[str, Lookups]:
    """By class, in the order of their names."""
    counted = [tally.by_label(name) for name in (CACHE_HITS, CACHE_MISSES, CACHE_ERRORS)]
    classes = sorted({label for counts in counted for label in counts})
    return {label: Lookups(*(counts.get(label, 0) for counts in counted)) for label in classes}


def vitals_of(history: History, measured: Measured | None) -> Vitals:
    """Of a workspace or of all; `measured` is None while Redis is away."""
    done = history.of(EVENTS_ACCEPTED.queue)
    seen = Lookups() if measured is None else lookups(measured.recent)
    return Vitals(
        latency_p95_ms=None if measured is None else measured.recent.whole(ALERT_LATENCY).quantile(0.95),
        processed=done.recently_completed,
        errors=done.recent_errors,
        failed_jobs=history.in_state("failed"),
        delayed_jobs=history.in_state("delayed"),
        cache_lookups=seen.hits + seen.misses,
        cache_errors=seen.errors,
        redis=measured is not None,
    )
