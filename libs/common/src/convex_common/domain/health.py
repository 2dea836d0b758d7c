"""The health score: one number from 0 to 100, and why it is not 100. Pure.

Two components make the score, and three others can only take from it:

| component | score |
| --- | --- |
| latency | 50 where the p95 from acceptance to commit is above 1000 ms, 75 above 500, else 100 |
| errors | 100 − 10 × the percentage of processing attempts that failed, not below 0 |
| queues | 75 where 10 or more are failed or 50 or more delayed, 50 where both, else 100 |
| cache | 100, less the percentage of look-ups that failed above 5, not below 50 |
| stores | 100; 75 without Redis, which is slower and loses nothing; 0 without PostgreSQL |

The score is the mean of latency and errors, times queues, cache and stores in percent. With those three at 100 it is
that mean. What nobody has measured yet is no fault: it scores 100.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

FAILED_LIMIT: Final = 10
DELAYED_LIMIT: Final = 50
CACHE_ERRORS_ALLOWED: Final = 5.0


class HealthStatus(StrEnum):
    """healthy above 80, degraded above 50, else unhealthy."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """What the score is made of, over the last 15 minutes; queues and stores as they stand."""

    latency_p95_ms: float | None = None
    processed: int = 0
    errors: int = 0
    failed_jobs: int = 0
    delayed_jobs: int = 0
    cache_lookups: int = 0
    cache_errors: int = 0
    postgres: bool = True
    redis: bool = True


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the score, 0 to 100, and what it comes from."""

    score: float
    reason: str


@dataclass(frozen=True, slots=True)
class Health:
    """The score and its components by name."""

    score: float
    status: HealthStatus
    components: Mapping[str, Component]


def assess(vitals: Vitals) -> Health:
    """The health that these vitals mean."""
    latency, errors = _latency(vitals.latency_p95_ms), _errors(vitals.processed, vitals.errors)
    queues = _queues(vitals.failed_jobs, vitals.delayed_jobs)
    cache = _cache(vitals.cache_lookups, vitals.cache_errors)
    stores = _stores(postgres=vitals.postgres, redis=vitals.redis)
    mean = (latency.score + errors.score) / 2
    score = round(mean * math.prod(part.score / 100 for part in (queues, cache, stores)), 2)
    parts = {"latency": latency, "errors": errors, "queues": queues, "cache": cache, "stores": stores}
    return Health(score, status_of(score), parts)


def status_of(score: float) -> HealthStatus:
    """The word for a score."""
    if score > 80:
        return HealthStatus.HEALTHY
    return HealthStatus.DEGRADED if score > 50 else HealthStatus.UNHEALTHY


def queues_healthy(failed_jobs: int, delayed_jobs: int) -> bool:
    """Whether fewer than 10 are failed and fewer than 50 delayed."""
    return failed_jobs < FAILED_LIMIT and delayed_jobs < DELAYED_LIMIT


def _latency(p95_ms: float | None) -> Component:
    if p95_ms is None:
        return Component(100, "nothing was processed lately")
    score = 50 if p95_ms > 1000 else 75 if p95_ms > 500 else 100
    return Component(score, f"p95 from acceptance to commit is {p95_ms:.0f} ms")


def _errors(processed: int, errors: int) -> Component:
    percent = _percent(errors, processed + errors)
    return Component(max(0.0, 100 - 10 * percent), f"{percent:.2f} % of the attempts to process an event failed")


def _queues(failed: int, delayed: int) -> Component:
    score = 100 - 25 * (failed >= FAILED_LIMIT) - 25 * (delayed >= DELAYED_LIMIT)
    return Component(score, f"{failed} failed, {delayed} delayed")


def _cache(lookups: int, errors: int) -> Component:
    percent = _percent(errors, lookups)
    return Component(min(100.0, max(50.0, 100 + CACHE_ERRORS_ALLOWED - percent)), f"{percent:.2f} % of look-ups failed")


def _stores(*, postgres: bool, redis: bool) -> Component:
    if not postgres:
        return Component(0, "PostgreSQL is away")
    return Component(100, "all are there") if redis else Component(75, "Redis is away")


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0
