"""The figures of `/api/metrics` on the wire. What Redis knew is null while it is away."""

from __future__ import annotations

import datetime as dt

from pydantic import Field

from convex_common.domain.health import HealthStatus
from convex_common.domain.self_audit import SelfAuditStatus, Stage
from convex_gateway.shapes.body import Answer


class Component(Answer):
    """A part of the score."""

    score: float = Field(ge=0, le=100)
    reason: str


class SelfAudit(Answer):
    """Whether the installation's own alert, one a minute, comes through. It is not in the score."""

    status: SelfAuditStatus = Field(
        description="Of the last run: passed or failed; stale where none has begun for too long, never where none has "
        "ended yet, off where it is switched off, unknown without PostgreSQL"
    )
    about: str
    last_passed_at: dt.datetime | None = Field(description="When the whole path was last proved")
    last_run_at: dt.datetime | None = Field(description="When the last run ended")
    failed_stage: Stage | None = Field(description="The first stage that the last run did not reach")
    reason: str | None = Field(description="Why it did not. Shown to operators alone; null to everybody else")
    stages: dict[Stage, float | None] = Field(
        description="Milliseconds that each stage of the last run took, in the order of the path; null if not reached"
    )


class HealthScore(Answer):
    """One number, and what it is made of: latency, errors, queues, cache and stores."""

    score: float = Field(ge=0, le=100)
    status: HealthStatus = Field(description="healthy above 80, degraded above 50, else unhealthy")
    components: dict[str, Component]
    self_audit: SelfAudit


class Latency(Answer):
    """Milliseconds over the last 15 minutes; null where there was nothing to measure."""

    count: int
    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None


class AlertFigures(Answer):
    """What was processed and sent, over all time, and how quickly, over the last 15 minutes."""

    processed: int = Field(description="Events processed to their end")
    errors: int = Field(description="Attempts to process an event that failed")
    latency: Latency | None = Field(description="From an event's acceptance to the commit of its alert")
    by_framework: dict[str, Latency] | None
    notifications_sent: dict[str, int] = Field(description="Delivered notifications by kind of channel")
    window_seconds: int = Field(description="What the latencies are of")


class Lookups(Answer):
    """Look-ups in the cache. A failed one is a miss as well."""

    hits: int
    misses: int
    errors: int
    hit_rate: float = Field(ge=0, le=100, description="Percent of all look-ups; 0 where there were none")


class CacheFigures(Answer):
    """Look-ups since the store was last emptied, by class, and those of the last 15 minutes."""

    hits: int | None
    misses: int | None
    errors: int | None
    hit_rate: float | None = Field(ge=0, le=100, description="Percent of all look-ups; 0 where there were none")
    classes: dict[str, Lookups] | None
    recent: Lookups | None
    window_seconds: int = Field(description="What `recent` is of")


class QueueStates(Answer):
    """How much of a queue is in which state."""

    active: int
    waiting: int
    delayed: int
    completed: int = Field(description="In the last hour")
    failed: int = Field(description="Put aside, until a person replays or drops it")


class QueueFigures(Answer):
    """Every queue's states. Jobs of analytics and prediction belong to the installation, not to a workspace."""

    alert: QueueStates
    analytics: QueueStates
    prediction: QueueStates
    notification: QueueStates
    healthy: bool = Field(description="Fewer than 10 failed and fewer than 50 delayed")
    failed_jobs: int
    delayed_jobs: int
    success_rate: float | None = Field(
        description="Percent of what was finished in the last 15 minutes that ended well; null where nothing was"
    )


class SocketFigures(Answer):
    """The live feed's sockets at all gateways: those open now, and frames since the store was last emptied."""

    connected_clients: int | None
    active_subscriptions: int | None
    messages_sent: int | None
    messages_received: int | None
    errors: int | None = Field(description="Sockets closed for a fault: protocol, credentials, slowness")
