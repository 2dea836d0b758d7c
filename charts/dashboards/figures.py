"""Single numbers that more than one dashboard begins with."""

from __future__ import annotations

from charts.dashboards import limits
from charts.dashboards.panels import GREEN, LATENCY_STEPS, ORANGE, RED, Panel, figure
from charts.dashboards.promql import LATELY, installed, of, quantile, risen


def health_score() -> Panel:
    """Of the installation that is worst off."""
    return figure(
        "Health score",
        "The installation's own score of 0 to 100, of latency, errors, queues, cache and stores; the lowest where "
        f"there are several installations. A rule fires below {limits.HEALTH:g}.",
        f"min(max by (namespace) ({of('system_health_score')}))",
        base=RED,
        steps=[(50, ORANGE), (limits.HEALTH, GREEN)],
        empty="no scheduler",
        decimals=0,
    )


def latency() -> Panel:
    """The figure that a rule watches."""
    return figure(
        "Latency, p95",
        "Of 100 events the 95 quickest were alerts within this time of their acceptance, over the last 10 minutes. "
        "Rules fire above {:g} and {:g} ms.".format(*limits.LATENCY_MS),
        quantile(0.95, "alert_processing_latency_ms", window=LATELY),
        unit="ms",
        steps=LATENCY_STEPS,
        empty="no events",
    )


def told() -> Panel:
    """How the objective does."""
    ended = "notification_delivery_seconds"
    in_time = risen(f"{ended}_bucket", f'le=~"{limits.TOLD_WITHIN}([.]0)?"', window="1h")
    all_of_them = f"{risen(f'{ended}_count', window='1h')} + {risen('notifications_undelivered_total', window='1h')}"
    return figure(
        "Told within a minute",
        "Of the notifications that came to an end in the last hour, how many were with their channel within a minute "
        f"of the decision to tell. The objective is {limits.OBJECTIVE:g} % over 30 days; a rule fires where it is "
        "used up too quickly.",
        f"100 * {in_time} / ({all_of_them} > 0)",
        unit="percent",
        base=RED,
        steps=[(99, ORANGE), (limits.OBJECTIVE, GREEN)],
        empty="none to tell",
        decimals=2,
    )


def oldest(title: str, told: str, expression: str, limit: float) -> Panel:
    """For how long something that is due has waited, and for how long it may."""
    return figure(
        title,
        f"{told} A rule fires above {limit:g} s.",
        expression,
        unit="s",
        steps=[(10, ORANGE), (limit, RED)],
        empty="no scheduler",
    )


def failed() -> Panel:
    """Work that nothing will try again by itself."""
    return figure(
        "Failed",
        f"Work that failed for good, over all queues. A rule fires above {limits.FAILED_JOBS:g}.",
        installed("queue_job_count", 'state="failed"'),
        steps=[(1, ORANGE), (limits.FAILED_JOBS + 1, RED)],
        empty="no scheduler",
    )


def quarantined() -> Panel:
    """What waits for a person."""
    return figure(
        "In quarantine",
        "Put aside after repeated failures; it stays until a person replays or drops it.",
        installed("quarantined"),
        steps=[(1, ORANGE)],
        empty="no scheduler",
    )
