"""The cache's health check: what its Redis says of itself, put on record by the hour; what is wrong is a warning."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from convex_common.errors import StoreUnavailable
from convex_common.postgres.job_runner import Lease
from convex_common.redis.cache.check import Report
from convex_common.redis.measures import Measured
from convex_common.vitals import lookups_by_class

log = logging.getLogger(__name__)

NAME: Final = "cache-health-check"

ENOUGH: Final = 100
"""Look-ups of a class from which on its hit rate says something."""

Measure = Callable[[], Measured]
Look = Callable[[Mapping[str, float]], Report]


class CacheHealthCheck:
    """A job. It completes whatever it finds: a cache that is ill is its result, and no failure of the check."""

    def __init__(self, measured: Measure, look: Look) -> None:
        self._measured = measured
        self._look = look

    def __call__(self, lease: Lease) -> Mapping[str, Any]:
        """The report, with the hit rates of the last quarter of an hour over all processes."""
        report = self._look(self._hit_rates())
        for problem in report.problems:
            log.warning("cache: %s", problem)
        return report.as_json()

    def _hit_rates(self) -> dict[str, float]:
        try:
            lookups = lookups_by_class(self._measured().recent)
        except StoreUnavailable:
            return {}
        return {name: asked.hit_rate for name, asked in lookups.items() if asked.hits + asked.misses >= ENOUGH}
