"""Every Prometheus metric of the product, by the names that dashboards and rules use."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from importlib.metadata import version
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from convex_common.domain.channel import ChannelKind
from convex_common.domain.distribution import LATENCY_MS_BUCKETS
from convex_common.stores import Stores

QUEUE_SECONDS_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
DELIVERY_SECONDS_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600)
HTTP_SECONDS_BUCKETS: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
RESPONSE_SECONDS_BUCKETS: Final = (10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400, 604800)


class Metrics:
    """The metrics of one process, on the registry it is given; made in `main.py` and passed in.

    Gauges about the whole installation (queues, backlog, quarantine, jobs, health) come into being when they are first
    used, so that only the process that knows them, the scheduler, exports them. No label carries an id.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client leaves it unannotated
        self.registry = registry
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        self._build_info = self._gauge(
            "convex_build_info", "1; the labels say which component this is, and its version.", "component", "version"
        )

        self.alert_processing_latency_ms = Histogram(
            "alert_processing_latency_ms",
            "Milliseconds from the acceptance of an event to the commit of its alert.",
            buckets=LATENCY_MS_BUCKETS,
            registry=registry,
        )
        self.alerts_processed = self._counter("alerts_processed_total", "Events that were processed to their end.")
        self.alert_processing_errors = self._counter(
            "alert_processing_errors_total", "Events whose processing failed, counted at each attempt."
        )
        self.alert_response_seconds = self._seconds(
            "alert_response_seconds",
            "Seconds from an alert's firing to a person's action on it.",
            "action",
            RESPONSE_SECONDS_BUCKETS,
        )
        self.notifications_sent = self._counter(
            "notifications_sent_total", "Attempts to deliver a notification, by kind of channel.", "channel", "status"
        )

        self.notification_delivery_seconds = self._seconds(
            "notification_delivery_seconds",
            "Seconds from the decision to notify to the channel's taking it; tests are left out.",
            "channel",
            DELIVERY_SECONDS_BUCKETS,
        )
        self.notifications_undelivered = self._counter(
            "notifications_undelivered_total",
            "Notifications that were given up, refused for good or tried too often; tests are left out.",
            "channel",
            "status",
        )

        self.queue_wait_seconds = self._seconds(
            "queue_wait_seconds", "Seconds that a message waited in its queue.", "queue", QUEUE_SECONDS_BUCKETS
        )
        self.queue_processing_seconds = self._seconds(
            "queue_processing_seconds", "Seconds that a message's handler took.", "queue", QUEUE_SECONDS_BUCKETS
        )

        self.cache_hits = self._counter("cache_hits_total", "Look-ups that a cache answered.", "class")
        self.cache_misses = self._counter("cache_misses_total", "Look-ups that a cache could not answer.", "class")
        self.cache_errors = self._counter(
            "cache_errors_total", "Look-ups and stores that failed, and damaged values.", "class"
        )
        registry.register(_HitRate(self.cache_hits, self.cache_misses))

        self.rate_limited = self._counter(
            "rate_limited_total",
            "Requests refused with 429, by what they were and whose rate it was.",
            "class",
            "scope",
        )

        self.http_request_seconds = Histogram(
            "http_request_seconds",
            "Seconds from a request's head to its answer's end, by what was asked for and the class of the status.",
            ("route", "status"),
            buckets=HTTP_SECONDS_BUCKETS,
            registry=registry,
        )

        self.store_errors = self._counter("store_errors_total", "Calls to a store that it did not answer.", "store")
        self.stores = Stores(self.store_errors)
        registry.register(self.stores)

        self.websocket_connections_active = self._gauge("websocket_connections_active", "Sockets open now.")
        self.websocket_subscriptions_active = self._gauge("websocket_subscriptions_active", "Subscriptions held now.")
        self.websocket_messages_sent = self._counter("websocket_messages_sent_total", "Frames written to sockets.")
        self.websocket_messages_received = self._counter(
            "websocket_messages_received_total", "Frames received from sockets."
        )
        self.websocket_errors = self._counter(
            "websocket_errors_total", "Sockets closed for a fault: protocol, credentials, slowness."
        )

    def tell_component(self, component: str) -> None:
        """Say which service this process is. The label is not `service`, which Prometheus sets in a cluster itself."""
        self._build_info.labels(component, version("convex-common")).set(1)

    def expect_channels(self, kinds: Iterable[ChannelKind]) -> None:
        """Have a notifier's counters begin at 0: a rate does not see the first of what appears with it."""
        for kind in kinds:
            self.notification_delivery_seconds.labels(kind)
            for status in ("delivered", "retry", "failed", "quarantined"):
                self.notifications_sent.labels(kind, status)
            for status in ("failed", "quarantined"):
                self.notifications_undelivered.labels(kind, status)

    def expect_people(self) -> None:
        """Have a gateway's durations until people act begin at 0, for the same reason."""
        for action in ("acknowledge", "resolve"):
            self.alert_response_seconds.labels(action)

    @cached_property
    def queue_job_count(self) -> Gauge:
        """Work per queue and state: active, waiting, delayed, completed, failed."""
        return self._gauge("queue_job_count", "Work in a queue, by its state.", "queue", "state")

    @cached_property
    def inbox_backlog(self) -> Gauge:
        """Accepted events that wait for their processing."""
        return self._gauge("inbox_backlog", "Accepted events that are not processed yet.")

    @cached_property
    def oldest_due_seconds(self) -> Gauge:
        """For how long the oldest work of a queue has been due that nobody has taken; 0 where there is none."""
        return self._gauge("oldest_due_seconds", "Seconds that the oldest work due in a queue has waited.", "queue")

    @cached_property
    def installation_read_timestamp_seconds(self) -> Gauge:
        """When the installation's gauges were last read, in Unix time: those of a scheduler that cannot are old."""
        return self._gauge(
            "installation_read_timestamp_seconds", "Unix time at which the installation's gauges were last read."
        )

    @cached_property
    def database_snapshot_held_seconds(self) -> Gauge:
        """For how long somebody has kept PostgreSQL from removing dead rows, which makes claims slow."""
        return self._gauge(
            "database_snapshot_held_seconds", "Seconds that a transaction has held back the removal of dead rows."
        )

    @cached_property
    def database_clock_offset_seconds(self) -> Gauge:
        """The scheduler's clock less the database's."""
        return self._gauge(
            "database_clock_offset_seconds", "The scheduler's clock less the database's, which leases are by."
        )

    @cached_property
    def partition_end_timestamp_seconds(self) -> Gauge:
        """Until when each partitioned table has partitions, in Unix time."""
        return self._gauge(
            "partition_end_timestamp_seconds", "Unix time up to which a table has its partitions.", "table"
        )

    @cached_property
    def quarantined(self) -> Gauge:
        """Rows put aside after repeated failures, until a person replays or drops them."""
        return self._gauge("quarantined", "Rows put aside after repeated failures.", "queue")

    @cached_property
    def scheduled_job_last_success_timestamp_seconds(self) -> Gauge:
        """When each job last succeeded, in Unix time."""
        return self._gauge(
            "scheduled_job_last_success_timestamp_seconds", "Unix time of a job's last successful run.", "job"
        )

    @cached_property
    def scheduled_job_runs(self) -> Counter:
        """Finished runs of all time per job and outcome: completed, skipped, failed, quarantined."""
        return self._counter(
            "scheduled_job_runs_total", "Finished runs of a job of all time, by outcome.", "job", "status"
        )

    @cached_property
    def scheduled_job_last_run_timestamp_seconds(self) -> Gauge:
        """When each job's newest run ended, in Unix time."""
        return self._gauge(
            "scheduled_job_last_run_timestamp_seconds", "Unix time at which a job's newest run ended.", "job"
        )

    @cached_property
    def scheduled_job_last_status(self) -> Gauge:
        """How each job's newest run ended: 1 for that outcome, 0 for the others."""
        return self._gauge(
            "scheduled_job_last_status", "1 for the outcome of a job's newest run, 0 for the others.", "job", "status"
        )

    @cached_property
    def scheduled_job_duration_seconds(self) -> Gauge:
        """How long each job's newest run took."""
        return self._gauge("scheduled_job_duration_seconds", "Seconds that a job's newest run took.", "job")

    @cached_property
    def scheduled_job_next_run_timestamp_seconds(self) -> Gauge:
        """When each job is due next, in Unix time."""
        return self._gauge("scheduled_job_next_run_timestamp_seconds", "Unix time at which a job is due next.", "job")

    @cached_property
    def scheduled_job_running(self) -> Gauge:
        """Whether a run of each job is under way."""
        return self._gauge("scheduled_job_running", "1 while a run of a job is under way.", "job")

    @cached_property
    def scheduled_job_suspended(self) -> Gauge:
        """Whether each job's timetable is off, by an order or in the cluster: such a job is not late."""
        return self._gauge("scheduled_job_suspended", "1 while a job is suspended and runs by hand only.", "job")

    @cached_property
    def kubernetes_reachable(self) -> Gauge:
        """Whether the cluster's API answers the scheduler; absent where it is not asked."""
        return self._gauge("kubernetes_reachable", "1 while the Kubernetes API answers the scheduler.")

    @cached_property
    def kubernetes_request_errors(self) -> Counter:
        """What of the cluster's API failed, by what was asked for and the status (0: no answer)."""
        return self._counter(
            "kubernetes_request_errors_total", "Requests to the Kubernetes API that failed.", "request", "status"
        )

    @cached_property
    def scheduled_job_overdue_seconds(self) -> Gauge:
        """For how long each job has lacked a success that was due; 0 where it lacks none."""
        return self._gauge(
            "scheduled_job_overdue_seconds", "Seconds since a job should have succeeded and did not.", "job"
        )

    @cached_property
    def scheduled_job_info(self) -> Gauge:
        """Each job's schedule (cron, UTC) and priority."""
        return self._gauge(
            "scheduled_job_info",
            "1; the labels say when a job is due and how urgent it is.",
            "job",
            "schedule",
            "priority",
        )

    @cached_property
    def system_health_score(self) -> Gauge:
        """The installation's health from 0 to 100."""
        return self._gauge("system_health_score", "The installation's health, from 0 to 100.")

    @cached_property
    def self_audit_runs(self) -> Counter:
        """Runs of the self-audit by this scheduler, by outcome: passed, failed."""
        return self._counter("convex_self_audit_runs_total", "Runs of the self-audit, by outcome.", "outcome")

    @cached_property
    def self_audit_seconds(self) -> Histogram:
        """How long the stages of the path took."""
        return self._seconds(
            "convex_self_audit_seconds", "Seconds that a stage of the self-audit took.", "stage", HTTP_SECONDS_BUCKETS
        )

    @cached_property
    def self_audit_last_success_timestamp_seconds(self) -> Gauge:
        """When the whole path was last proved, in Unix time, whichever scheduler did it."""
        return self._gauge(
            "convex_self_audit_last_success_timestamp_seconds", "Unix time at which the self-audit last passed."
        )

    @cached_property
    def deadman_pings(self) -> Counter:
        """Pings of the dead man's switch, by outcome: told, failed."""
        return self._counter("convex_deadman_pings_total", "Pings of the dead man's switch, by outcome.", "outcome")

    def _counter(self, name: str, told: str, *labels: str) -> Counter:
        return Counter(name, told, labels, registry=self.registry)

    def _gauge(self, name: str, told: str, *labels: str) -> Gauge:
        return Gauge(name, told, labels, registry=self.registry)

    def _seconds(self, name: str, told: str, label: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, told, (label,), buckets=buckets, registry=self.registry)


class _HitRate(Collector):
    """`cache_hit_rate_percent` from the two counters; absent until something was looked up."""

    def __init__(self, hits: Counter, misses: Counter) -> None:
        self._hits, self._misses = hits, misses

    def collect(self) -> Iterable[Metric]:
        hits, misses = _total(self._hits), _total(self._misses)
        if hits + misses:
            yield GaugeMetricFamily(
                "cache_hit_rate_percent", "Look-ups that a cache answered, in percent.", 100 * hits / (hits + misses)
            )

    def describe(self) -> Iterable[Metric]:
        """The name, so that the registry need not collect to learn it."""
        yield GaugeMetricFamily("cache_hit_rate_percent", "Look-ups that a cache answered, in percent.")


def _total(counter: Counter) -> float:
    return sum(sample.value for metric in counter.collect() for sample in metric.samples)
