"""The figures in Prometheus's text format, under the names that single processes use for their own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from convex_common.contracts import QUEUES
from convex_common.domain.distribution import BUCKETS, Distribution
from convex_common.measures import (
    ALERT_LATENCY,
    CACHE_ERRORS,
    CACHE_HITS,
    CACHE_MISSES,
    QUEUE_PROCESSING,
    QUEUE_WAIT,
    WS_CLIENTS,
    WS_ERRORS,
    WS_RECEIVED,
    WS_SENT,
    WS_SUBSCRIPTIONS,
)
from convex_common.redis.measures import Measured
from convex_common.vitals import lookups
from convex_gateway.figures import ALERTS, Figures

COUNTERS: Final = (
    ("cache_hits_total", "Look-ups that a cache answered.", CACHE_HITS, "class"),
    ("cache_misses_total", "Look-ups that a cache could not answer.", CACHE_MISSES, "class"),
    ("cache_errors_total", "Look-ups that failed, which are misses as well.", CACHE_ERRORS, "class"),
    ("websocket_messages_sent_total", "Frames written to sockets.", WS_SENT, None),
    ("websocket_messages_received_total", "Frames received from sockets.", WS_RECEIVED, None),
    ("websocket_errors_total", "Sockets closed for a fault: protocol, credentials, slowness.", WS_ERRORS, None),
)
SECONDS: Final = (
    ("queue_wait_seconds", "Seconds that work waited in its queue.", QUEUE_WAIT),
    ("queue_processing_seconds", "Seconds that work took.", QUEUE_PROCESSING),
)
LEVELS: Final = (
    ("websocket_connections_active", "Sockets open now.", WS_CLIENTS),
    ("websocket_subscriptions_active", "Subscriptions held now.", WS_SUBSCRIPTIONS),
)


def text(figures: Figures) -> bytes:
    """The exposition. What Redis knew is absent while it is away."""
    registry = CollectorRegistry()
    registry.register(_Collected(figures))
    return generate_latest(registry)


class _Collected(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Every family."""
        yield from _counted(self._figures)
        if self._figures.measured is not None:
            yield from _measured(self._figures.measured)


def _counted(figures: Figures) -> Iterator[Metric]:
    done = figures.history.of(ALERTS)
    yield CounterMetricFamily("alerts_processed", "Events that were processed to their end.", done.completed)
    yield CounterMetricFamily(
        "alert_processing_errors", "Events whose processing failed, counted at each attempt.", done.errors
    )
    sent = CounterMetricFamily(
        "notifications_sent", "Attempts to deliver a notification, by kind of channel.", labels=("channel", "status")
    )
    for labels, attempts in sorted(figures.history.attempts.items()):
        sent.add_metric(labels, attempts)
    yield sent
    jobs = GaugeMetricFamily("queue_job_count", "Work in a queue, by its state.", labels=("queue", "state"))
    for queue in QUEUES:
        for state, count in figures.history.states(queue).items():
            jobs.add_metric((queue, state), count)
    yield jobs
    yield GaugeMetricFamily("system_health_score", "The health, from 0 to 100.", figures.health.score)
    proved = None if figures.self_audit is None else figures.self_audit.last_passed_at
    if proved is not None:
        yield GaugeMetricFamily(
            "convex_self_audit_last_success_timestamp_seconds",
            "Unix time at which the self-audit last passed.",
            proved.timestamp(),
        )


def _measured(measured: Measured) -> Iterator[Metric]:
    latency = measured.total.whole(ALERT_LATENCY)
    yield _histogram(
        "alert_processing_latency_ms",
        "Milliseconds from the acceptance of an event to the commit of its alert.",
        {"": latency},
    )
    for name, told, measure in SECONDS:
        yield _histogram(name, told, measured.total.spread(measure), label="queue", unit=1000)
    for name, told, measure, label in COUNTERS:
        family = CounterMetricFamily(name.removesuffix("_total"), told, labels=() if label is None else (label,))
        for value, count in sorted(measured.total.by_label(measure).items()):
            family.add_metric(() if label is None else (value,), count)
        yield family
    seen = lookups(measured.recent)
    if seen.hits + seen.misses:
        yield GaugeMetricFamily(
            "cache_hit_rate_percent", "Look-ups of the last 15 minutes that a cache answered.", seen.hit_rate
        )
    for name, told, level in LEVELS:
        yield GaugeMetricFamily(name, told, measured.levels[level])


def _histogram(
    name: str, told: str, distributions: Mapping[str, Distribution], *, label: str | None = None, unit: float = 1
) -> Metric:
    """In the unit of the name; `unit` is how many milliseconds that is."""
    family = HistogramMetricFamily(name, told, labels=() if label is None else (label,))
    for value, distribution in sorted(distributions.items()):
        below, buckets = 0, []
        for bound, count in zip(BUCKETS, distribution.counts, strict=True):
            below += count
            buckets.append(("+Inf" if math.isinf(bound) else str(bound / unit), below))
        family.add_metric(() if label is None else (value,), buckets, distribution.total_us / 1000 / unit)
    return family
