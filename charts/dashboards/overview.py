"""Is everything well, and if not, where to look next."""

from __future__ import annotations

from charts.dashboards import figures
from charts.dashboards.frame import Board, Row
from charts.dashboards.panels import (
    GREEN,
    GREY,
    LATENCY_STEPS,
    ORANGE,
    RED,
    RUNBOOKS,
    Column,
    Panel,
    Query,
    figure,
    listing,
    quantiles,
    series,
)
from charts.dashboards.promql import DEAD_MAN, FIRING, installed, of, ours, rate, total

COMPONENTS = 5
SEVERITIES = {
    name: (name, colour) for name, colour in (("critical", RED), ("warning", ORANGE), ("info", "blue"), ("none", GREY))
}


def board() -> Board:
    """The first one to open."""
    return Board(
        "overview",
        "Overview",
        "Is everything well? Green is; orange wants a look soon; red wants somebody now.",
        [
            Row("Is everything well?", _verdict(), height=5),
            Row("What fires", [_alerts(), *_aside()], height=7, widths=[16, 4, 4]),
            Row("The path of an alert", _path(), height=9),
            Row("What waits, and what it runs on", _load(), height=9),
        ],
    )


def _verdict() -> list[Panel]:
    return [
        figure(
            "Critical alerts",
            "How many critical alerts of these rules fire now: each pages somebody. `no rules` means that Prometheus "
            "does not evaluate the rules, so that none can fire.",
            _firing("critical"),
            steps=[(1, RED)],
            empty="no rules",
        ),
        figure(
            "Warnings",
            "How many warnings fire now: each wants a look within the day.",
            _firing("warning"),
            steps=[(1, ORANGE)],
            empty="no rules",
        ),
        figures.health_score(),
        figure(
            "Services that answer",
            f"How many of the {COMPONENTS} services Prometheus reaches; of the installation with the fewest, where "
            "there are several. The dashboard System health says which.",
            f"min(count by (namespace) (count by (namespace, component) ({of('convex_build_info')})))",
            base=RED,
            steps=[(COMPONENTS, GREEN)],
            empty="none",
        ),
        figures.latency(),
        figures.told(),
    ]


def _firing(severity: str) -> str:
    matching = f'ALERTS{{{FIRING}, severity="{severity}"}}'
    return f"count({matching}) or on () (0 * max({DEAD_MAN}))"


def _alerts() -> Panel:
    labels = ("namespace", "component", "pod", "queue", "channel", "store", "scheduled_job", "table")
    return listing(
        "Alerts that fire",
        "The dead man's switch always does: it proves that the rules are evaluated. An alert's name leads to its "
        "runbook.",
        [f"max by ({', '.join(('alertname', 'severity', *labels))}) (ALERTS{{{FIRING}}})"],
        {
            "severity": Column("Severity", texts=SEVERITIES, width=110),
            "alertname": Column("Alert", link=("What to do", f"{RUNBOOKS}/${{__value.raw}}.md"), width=360),
            **{label: Column(label.replace("_", " ").capitalize()) for label in labels},
        },
        sort="Severity",
        descending=False,
        empty="Prometheus does not evaluate the rules",
    )


def _aside() -> list[Panel]:
    return [figures.failed(), figures.quarantined()]


def _path() -> list[Panel]:
    latency = "alert_processing_latency_ms"
    return [
        series(
            "Events",
            "Processed to their end, and those whose processing failed; each is tried three times.",
            Query(total("alerts_processed_total"), "processed"),
            Query(total("alert_processing_errors_total"), "failed"),
            unit="eps",
            colours={"processed": GREEN, "failed": RED},
        ),
        series(
            "From acceptance to alert",
            "How long events take from their acceptance to the commit of their alert. The dashed lines are where a "
            "warning and a critical alert fire for the p95. Points lead to traces.",
            *quantiles(latency),
            unit="ms",
            lines=LATENCY_STEPS,
        ),
        series(
            "Notifications",
            "Attempts to deliver, by how they ended. A retry comes again; failed and quarantined do not.",
            Query(total("notifications_sent_total", by="status"), "{{status}}"),
            unit="ops",
        ),
    ]


def _load() -> list[Panel]:
    return [
        series(
            "Work in the queues",
            "What waits, is under way or is put off, by queue.",
            Query(installed("queue_job_count", 'state=~"waiting|active|delayed"', by="queue"), "{{queue}}"),
            colours={},
        ),
        series(
            "Open sockets",
            "Browsers and programs that watch, and what they have subscribed to.",
            Query(f"sum({of('websocket_connections_active')})", "sockets"),
            Query(f"sum({of('websocket_subscriptions_active')})", "subscriptions"),
            colours={"sockets": "blue", "subscriptions": "purple"},
        ),
        series(
            "CPU of the busiest process",
            "Cores, of the busiest process of each service. One process cannot use much more than one core.",
            Query(f"max by (component) ({ours(rate('process_cpu_seconds_total'))})", "{{component}}"),
            colours={},
        ),
    ]
