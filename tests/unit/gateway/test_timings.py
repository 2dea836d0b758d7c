"""Requests are timed by what they ask for and how they ended."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from convex_common.metrics import Metrics
from convex_gateway.timings import CLASSES, ROUTES, Timings, route_of


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/api/v1/triggers", "ingest"),
        ("/api/v1/observations", "ingest"),
        ("/api/v1/ingest/alertmanager/api/v2/alerts", "ingest"),
        ("/api/v1/alerts", "api"),
        ("/api/metrics/health", "api"),
        ("/", "pages"),
        ("/auth/login", "pages"),
    ],
)
def test_routes(path: str, route: str) -> None:
    assert route_of(path) == route


def test_every_series_is_there_from_the_start_and_counts() -> None:
    registry = CollectorRegistry()
    timings = Timings(Metrics(registry).http_request_seconds)

    def count(route: str, status: str) -> float | None:
        return registry.get_sample_value("http_request_seconds_count", {"route": route, "status": status})

    assert all(count(route, status) == 0 for route in ROUTES for status in CLASSES)
    timings.observe("/api/v1/triggers", 503, 0.2)
    timings.observe("/api/v1/triggers", 0, 0.2)
    assert count("ingest", "5xx") == 1
    assert sum(count(route, status) or 0 for route in ROUTES for status in CLASSES) == 1, "who went away is not counted"


def test_a_duration_leads_to_its_trace() -> None:
    registry = CollectorRegistry()
    Timings(Metrics(registry).http_request_seconds).observe("/api/v1/triggers", 202, 0.2, {"trace_id": "4bf9"})
    (exemplar,) = [
        sample.exemplar for family in registry.collect() for sample in family.samples if sample.exemplar is not None
    ]
    assert (exemplar.labels, exemplar.value) == ({"trace_id": "4bf9"}, 0.2)
