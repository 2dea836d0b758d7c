"""The health score: the original's where nothing else is wrong, and never better for getting worse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convex_common.domain.health import HealthStatus, Vitals, assess, queues_healthy, status_of


@pytest.mark.parametrize(
    ("vitals", "score", "status"),
    [
        pytest.param(Vitals(), 100, "healthy", id="nothing happened yet"),
        pytest.param(Vitals(latency_p95_ms=500, processed=10), 100, "healthy", id="quick"),
        pytest.param(Vitals(latency_p95_ms=500.1, processed=10), 87.5, "healthy", id="slower than 500 ms"),
        pytest.param(Vitals(latency_p95_ms=1000.1, processed=10), 75, "degraded", id="slower than a second"),
        pytest.param(Vitals(processed=98, errors=2), 90, "healthy", id="2 % errors"),
        pytest.param(Vitals(processed=90, errors=10), 50, "unhealthy", id="10 % errors"),
        pytest.param(Vitals(latency_p95_ms=2000, errors=10), 25, "unhealthy", id="slow, and all fail"),
        pytest.param(Vitals(failed_jobs=9, delayed_jobs=49), 100, "healthy", id="queues just healthy"),
        pytest.param(Vitals(failed_jobs=10), 75, "degraded", id="ten failed"),
        pytest.param(Vitals(failed_jobs=10, delayed_jobs=50), 50, "unhealthy", id="and fifty delayed"),
        pytest.param(Vitals(cache_lookups=100, cache_errors=5), 100, "healthy", id="cache within bounds"),
        pytest.param(Vitals(cache_lookups=100, cache_errors=30), 75, "degraded", id="cache fails often"),
        pytest.param(Vitals(cache_lookups=100, cache_errors=100), 50, "unhealthy", id="cache fails always"),
        pytest.param(Vitals(redis=False), 75, "degraded", id="without Redis"),
        pytest.param(Vitals(postgres=False), 0, "unhealthy", id="without PostgreSQL"),
    ],
)
def test_scores(vitals: Vitals, score: float, status: str) -> None:
    health = assess(vitals)
    assert (health.score, health.status) == (score, status)
    assert list(health.components) == ["latency", "errors", "queues", "cache", "stores"]
    assert all(part.reason for part in health.components.values())


@pytest.mark.parametrize(
    ("failed", "delayed", "healthy"), [(0, 0, True), (9, 49, True), (10, 0, False), (0, 50, False)], ids=str
)
def test_queues(failed: int, delayed: int, healthy: bool) -> None:
    assert queues_healthy(failed, delayed) is healthy


@pytest.mark.parametrize(
    ("score", "status"), [(80.01, "healthy"), (80, "degraded"), (50.01, "degraded"), (50, "unhealthy")], ids=str
)
def test_words(score: float, status: str) -> None:
    assert status_of(score) is HealthStatus(status)


COUNT = st.integers(0, 10_000)
LATENCY = st.none() | st.floats(0, 5000)
VITALS = st.builds(
    lambda failing, lookups, **more: Vitals(cache_lookups=lookups, cache_errors=min(failing, lookups), **more),
    failing=COUNT,
    lookups=COUNT,
    latency_p95_ms=LATENCY,
    processed=COUNT,
    errors=COUNT,
    failed_jobs=COUNT,
    delayed_jobs=COUNT,
    postgres=st.booleans(),
    redis=st.booleans(),
)


@given(VITALS)
def test_bounded(vitals: Vitals) -> None:
    health = assess(vitals)
    assert 0 <= health.score <= 100
    assert all(0 <= part.score <= 100 for part in health.components.values())


@given(LATENCY, COUNT, COUNT, st.integers(0, 9), st.integers(0, 49))
def test_the_originals_score_where_the_rest_is_well(
    p95: float | None, processed: int, errors: int, failed: int, delayed: int
) -> None:
    percent = 100 * errors / (processed + errors) if processed + errors else 0.0
    latency = 100 if p95 is None or p95 <= 500 else 75 if p95 <= 1000 else 50
    original = (latency + max(0.0, 100 - 10 * percent)) / 2
    vitals = Vitals(latency_p95_ms=p95, processed=processed, errors=errors, failed_jobs=failed, delayed_jobs=delayed)
    assert assess(vitals).score == pytest.approx(original, abs=0.005)


@given(
    VITALS,
    st.sampled_from(["latency_p95_ms", "errors", "failed_jobs", "delayed_jobs", "cache_errors", "postgres", "redis"]),
    st.integers(1, 5000),
)
def test_what_gets_worse_never_scores_better(vitals: Vitals, what: str, by: int) -> None:
    changed: dict[str, Any] = {what: (getattr(vitals, what) or 0) + by}
    if what in ("postgres", "redis"):
        changed = {what: False}
    if what == "cache_errors":
        changed[what] = min(changed[what], vitals.cache_lookups)
    assert assess(replace(vitals, **changed)).score <= assess(vitals).score


@given(VITALS, st.integers(1, 5000))
def test_more_success_never_scores_worse(vitals: Vitals, more: int) -> None:
    assert assess(replace(vitals, processed=vitals.processed + more)).score >= assess(vitals).score
