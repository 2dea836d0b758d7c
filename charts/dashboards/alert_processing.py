"""From an event's acceptance to a person's knowing of it, stage by stage."""

from __future__ import annotations

from charts.dashboards import figures, limits
from charts.dashboards.frame import Board, Row
from charts.dashboards.panels import (
    GREEN,
    LATENCY_STEPS,
    ORANGE,
    RED,
    Column,
    Panel,
    Query,
    buckets,
    figure,
    listing,
    quantiles,
    series,
)
from charts.dashboards.promql import LATELY, by_process, installed, mean, quantile, rate, risen, share, total

LATENCY = "alert_processing_latency_ms"
INGEST = 'route="ingest"'
OF_ALERT = 'queue="alert"'


def board() -> Board:
    """In the order in which an event goes through."""
    return Board(
        "alert-processing",
        "Alert processing",
        "Are events accepted, processed and told to people, how quickly, and where does it stop?",
        [
            Row("Now", _now(), height=4),
            Row("Accepted", _accepted()),
            Row("Processed", _processed()),
            Row("How long processing takes", _latency(), height=9),
            Row("Told", _told()),
            Row("How long telling takes, and people's answers", _people()),
        ],
    )


def _now() -> list[Panel]:
    errors, done = (total(f"alert{name}_total", window=LATELY) for name in ("_processing_errors", "s_processed"))
    return [
        figure("Events", "Events processed per second, over the last 10 minutes.", done, unit="eps", decimals=1),
        figure(
            "Failed",
            "Of the attempts to process an event over the last 10 minutes, how many failed. Each event has three.",
            share(errors, done),
            unit="percent",
            steps=[(0.1, ORANGE), (1, RED)],
            empty="no events",
            decimals=2,
        ),
        figures.latency(),
        figures.oldest(
            "Oldest event",
            "How long the oldest event that is due has waited. Above a few seconds the processors do not keep up.",
            installed("oldest_due_seconds", OF_ALERT),
            limits.EVENT_WAITS,
        ),
        figures.oldest(
            "Oldest notification",
            "How long the oldest delivery that is due has waited. One that waits for its next try is not due.",
            installed("oldest_due_seconds", 'queue="notification"'),
            limits.DELIVERY_WAITS,
        ),
        figures.told(),
    ]


def _accepted() -> list[Panel]:
    return [
        series(
            "Requests that bring events",
            "By class of the answer: 2xx was committed and cannot be lost; 4xx is the sender's fault; 5xx is ours, "
            "and senders try again.",
            Query(total("http_request_seconds_count", INGEST, by="status"), "{{status}}"),
            unit="reqps",
            colours={"2xx": GREEN, "3xx": "text", "4xx": ORANGE, "5xx": RED},
        ),
        series(
            "How long accepting takes",
            "From a request's head to the end of its answer, with the commit in between. Points lead to traces.",
            *quantiles("http_request_seconds", INGEST),
            unit="s",
        ),
        series(
            "Refused by a rate",
            "Requests answered 429, by what they were and whose rate it was.",
            Query(total("rate_limited_total", by="class, scope"), "{{class}}, by {{scope}}"),
            unit="reqps",
            colours={},
        ),
    ]


def _processed() -> list[Panel]:
    working = 'component="processor"'
    return [
        series(
            "Events processed",
            "By processor. One that stands still while others work is stuck, or there is less to do than processors.",
            Query(by_process(rate("alerts_processed_total"), working), "{{process}}"),
            unit="eps",
            stacked=True,
            colours={},
        ),
        series(
            "Events that failed",
            "Attempts that failed; after the third an event is put into quarantine, where a person sees to it.",
            Query(total("alert_processing_errors_total"), "failed"),
            unit="eps",
        ),
        series(
            "Events that wait",
            "Accepted and not yet processed. It should come back to zero; where it only rises, add processors.",
            Query(installed("inbox_backlog"), "waiting"),
        ),
    ]


def _latency() -> list[Panel]:
    return [
        series(
            "From acceptance to alert",
            "Quantiles over all processors. The dashed lines are where a warning and a critical alert fire for the "
            "p95. Points lead to traces.",
            *quantiles(LATENCY),
            unit="ms",
            lines=LATENCY_STEPS,
        ),
        buckets(
            "From acceptance to alert, spread",
            "How many events took how long. Two bands mean two kinds of events, or one slow processor.",
            risen(f"{LATENCY}_bucket", by="le", window="$__rate_interval"),
            unit="ms",
        ),
        series(
            "Waiting and working, p95",
            "Of a batch of events: how long its message waited for a worker, and how long the work took.",
            Query(quantile(0.95, "queue_wait_seconds", OF_ALERT), "waited", exemplars=True),
            Query(quantile(0.95, "queue_processing_seconds", OF_ALERT), "worked", exemplars=True),
            unit="s",
            colours={"waited": "light-blue", "worked": "blue"},
        ),
    ]


def _told() -> list[Panel]:
    sent, ended, given_up = (
        "notifications_sent_total",
        "notification_delivery_seconds",
        "notifications_undelivered_total",
    )
    return [
        series(
            "Attempts to deliver",
            "By how they ended. A retry comes again by itself; failed and quarantined do not.",
            Query(total(sent, by="status"), "{{status}}"),
            unit="ops",
            stacked=True,
        ),
        series(
            "Attempts that did not deliver",
            "Retries, failures and quarantined deliveries, by kind of channel.",
            Query(total(sent, 'status!="delivered"', by="channel"), "{{channel}}"),
            unit="ops",
            colours={},
        ),
        listing(
            "Channels",
            "What came of notifications over the time that is shown. What was given up is in quarantine, or its "
            "receiver refused it for good.",
            [
                risen(f"{ended}_count", by="channel"),
                risen(sent, 'status="retry"', by="channel"),
                risen(given_up, by="channel"),
                quantile(0.95, ended, by="channel", window="$__range"),
            ],
            {
                "channel": Column("Channel"),
                "Value #A": Column("Delivered", decimals=0),
                "Value #B": Column("Retries", decimals=0, steps=[(1, ORANGE)]),
                "Value #C": Column("Given up", decimals=0, steps=[(0.5, RED)]),
                "Value #D": Column("p95", unit="s"),
            },
            sort="Given up",
            empty="no notifier",
        ),
    ]


def _people() -> list[Panel]:
    told, acted = "notification_delivery_seconds", "alert_response_seconds"
    return [
        series(
            "From the decision until it is told",
            "With all tries and the waits in between.",
            *quantiles(told),
            unit="s",
        ),
        series(
            "By channel, p95",
            "A channel that is much slower than the others has a slow receiver, or one that wants several tries.",
            Query(quantile(0.95, told, by="channel"), "{{channel}}", exemplars=True),
            unit="s",
            colours={},
        ),
        series(
            "From an alert to a person's answer",
            "The mean from an alert's firing to its acknowledgement, or its resolution, by a person.",
            Query(mean(acted, by="action"), "{{action}}"),
            unit="s",
            colours={"acknowledge": "blue", "resolve": GREEN},
        ),
    ]
