"""The exposition carries the contract's names, and each process only what it knows."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from convex_common.domain.channel import ChannelKind
from convex_common.domain.distribution import LATENCY_MS_BUCKETS
from convex_common.metrics import Metrics
from convex_common.stores import POSTGRES


def exposed(registry: CollectorRegistry) -> dict[str, set[str]]:
    """Sample names with the label names they come with."""
    samples: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            samples.setdefault(sample.name, set()).update(sample.labels)
    return samples


def used() -> CollectorRegistry:
    """A registry in which every metric was used once."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.tell_component("notifier")
    metrics.notifications_sent.labels("email", "sent").inc()
    metrics.cache_hits.labels("rules").inc(3)
    metrics.cache_misses.labels("rules").inc()
    for histogram in (metrics.queue_wait_seconds, metrics.queue_processing_seconds, metrics.alert_response_seconds):
        histogram.labels("x").observe(1)
    metrics.queue_job_count.labels("alert", "waiting").set(1)
    metrics.inbox_backlog.set(1)
    metrics.quarantined.labels("alert").set(1)
    metrics.scheduled_job_last_success_timestamp_seconds.labels("cleanup").set(1)
    metrics.scheduled_job_runs.labels("cleanup", "completed").inc()
    metrics.scheduled_job_last_status.labels("cleanup", "completed").set(1)
    metrics.scheduled_job_info.labels("cleanup", "0 2 * * *", "low").set(1)
    for gauge in (
        metrics.scheduled_job_last_run_timestamp_seconds,
        metrics.scheduled_job_next_run_timestamp_seconds,
        metrics.scheduled_job_duration_seconds,
        metrics.scheduled_job_running,
        metrics.scheduled_job_suspended,
    ):
        gauge.labels("cleanup").set(1)
    metrics.system_health_score.set(100)
    metrics.kubernetes_reachable.set(1)
    metrics.kubernetes_request_errors.labels("list cronjobs", "403").inc()
    metrics.self_audit_runs.labels("passed").inc()
    metrics.self_audit_seconds.labels("stored").observe(0.1)
    metrics.deadman_pings.labels("told").inc()
    metrics.expect_channels([ChannelKind.EMAIL])
    metrics.http_request_seconds.labels("ingest", "2xx").observe(0.01)
    metrics.stores.watch(POSTGRES).answered()
    metrics.oldest_due_seconds.labels("alert").set(0)
    metrics.partition_end_timestamp_seconds.labels("inbox").set(1)
    metrics.scheduled_job_overdue_seconds.labels("cleanup").set(0)
    for gauge in (
        metrics.installation_read_timestamp_seconds,
        metrics.self_audit_last_success_timestamp_seconds,
        metrics.database_snapshot_held_seconds,
        metrics.database_clock_offset_seconds,
    ):
        gauge.set(1)
    return registry


def test_every_name_of_the_contract_with_its_labels() -> None:
    samples = exposed(used())
    expected = {
        "alert_processing_latency_ms_bucket": {"le"},
        "queue_job_count": {"queue", "state"},
        "alerts_processed_total": set(),
        "alert_processing_errors_total": set(),
        "notifications_sent_total": {"channel", "status"},
        "cache_hits_total": {"class"},
        "cache_misses_total": {"class"},
        "cache_hit_rate_percent": set(),
        "websocket_connections_active": set(),
        "websocket_subscriptions_active": set(),
        "websocket_messages_sent_total": set(),
        "websocket_messages_received_total": set(),
        "websocket_errors_total": set(),
        "queue_wait_seconds_count": {"queue"},
        "queue_processing_seconds_count": {"queue"},
        "alert_response_seconds_count": {"action"},
        "scheduled_job_last_success_timestamp_seconds": {"job"},
        "scheduled_job_runs_total": {"job", "status"},
        "scheduled_job_last_run_timestamp_seconds": {"job"},
        "scheduled_job_next_run_timestamp_seconds": {"job"},
        "scheduled_job_last_status": {"job", "status"},
        "scheduled_job_duration_seconds": {"job"},
        "scheduled_job_running": {"job"},
        "scheduled_job_suspended": {"job"},
        "kubernetes_reachable": set(),
        "kubernetes_request_errors_total": {"request", "status"},
        "scheduled_job_info": {"job", "schedule", "priority"},
        "system_health_score": set(),
        "inbox_backlog": set(),
        "notification_delivery_seconds_bucket": {"channel", "le"},
        "notifications_undelivered_total": {"channel", "status"},
        "http_request_seconds_bucket": {"route", "status", "le"},
        "store_up": {"store"},
        "store_errors_total": {"store"},
        "oldest_due_seconds": {"queue"},
        "installation_read_timestamp_seconds": set(),
        "database_snapshot_held_seconds": set(),
        "database_clock_offset_seconds": set(),
        "partition_end_timestamp_seconds": {"table"},
        "scheduled_job_overdue_seconds": {"job"},
        "quarantined": {"queue"},
        "convex_self_audit_runs_total": {"outcome"},
        "convex_self_audit_seconds_bucket": {"stage", "le"},
        "convex_self_audit_last_success_timestamp_seconds": set(),
        "convex_deadman_pings_total": {"outcome"},
        "convex_build_info": {"component", "version"},
        "python_gc_collections_total": {"generation"},
        "process_resident_memory_bytes": set(),
    }
    assert {name: samples.get(name) for name in expected} == expected


def test_no_total_is_doubled_and_no_creation_time_is_told() -> None:
    assert not [name for name in exposed(used()) if name.endswith(("_total_total", "_created"))]


def test_latency_has_the_buckets_of_the_specification() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    for le in LATENCY_MS_BUCKETS:
        assert registry.get_sample_value("alert_processing_latency_ms_bucket", {"le": f"{le}.0"}) == 0
    buckets = [f for f in text_string_to_metric_families(generate_latest(registry).decode()) if "latency" in f.name]
    assert len([s for s in buckets[0].samples if s.name.endswith("_bucket")]) == len(LATENCY_MS_BUCKETS) + 1


def test_a_process_does_not_export_what_only_the_scheduler_knows() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    absent = {
        "queue_job_count",
        "inbox_backlog",
        "quarantined",
        "system_health_score",
        "cache_hit_rate_percent",
        "kubernetes_reachable",
    }
    assert not absent & exposed(registry).keys()


def test_the_hit_rate_is_a_percentage_over_all_classes() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.cache_hits.labels("rules").inc(2)
    metrics.cache_hits.labels("tokens").inc(1)
    metrics.cache_misses.labels("rules").inc(1)
    assert registry.get_sample_value("cache_hit_rate_percent") == 75
