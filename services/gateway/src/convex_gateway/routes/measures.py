"""`/api/metrics`: how it goes, in figures over all processes."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends, Query
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.responses import PlainTextResponse, Response

from convex_common.contracts import QUEUES
from convex_common.domain.distribution import merged
from convex_common.domain.health import Health, Vitals, assess
from convex_common.domain.role import Role
from convex_common.domain.self_audit import UNREADABLE, Report, report
from convex_common.errors import StoreUnavailable
from convex_common.measures import (
    ALERT_LATENCY,
    WS_CLIENTS,
    WS_ERRORS,
    WS_RECEIVED,
    WS_SENT,
    WS_SUBSCRIPTIONS,
)
from convex_common.redis.measures import MINUTES
from convex_common.vitals import lookups, lookups_by_class
from convex_gateway import exposition
from convex_gateway.figures import (
    ALERTS,
    Figures,
    FigureScope,
    figures_of,
    latency,
    whose,
)
from convex_gateway.operations import Authorized, Resource
from convex_gateway.shapes.measures import AlertFigures, CacheFigures, HealthScore, QueueFigures, SocketFigures

resource = Resource("metrics", prefix="/api/metrics")

WINDOW_SECONDS: Final = MINUTES * 60

Scope = Annotated[FigureScope, Query(description="The whole installation takes a token with the claim `operator`")]


async def _asked(call: Authorized, scope: Scope = FigureScope.WORKSPACE) -> Figures:
    return await figures_of(call.gateway, whose(call.principal, scope))


async def _health(call: Authorized, scope: Scope = FigureScope.WORKSPACE) -> tuple[Health, Report]:
    """Also without PostgreSQL there is an answer, as long as it is known who asks."""
    workspace_id = whose(call.principal, scope)
    try:
        figures = await figures_of(call.gateway, workspace_id)
    except StoreUnavailable:
        return assess(Vitals(postgres=False)), UNREADABLE
    told = report(figures.self_audit)
    return figures.health, told if call.principal.operator else told.without_insides()


Asked = Annotated[Figures, Depends(_asked)]


@resource.operation("GET", "/health", role=Role.VIEWER, answer=HealthScore)
async def get_health(told: Annotated[tuple[Health, Report], Depends(_health)]) -> object:
    """Get the health score, 0 to 100, what it is made of, and when an alert last came through the whole path."""
    health, self_audit = told
    return {
        "score": health.score,
        "status": health.status,
        "components": health.components,
        "self_audit": self_audit,
    }


@resource.operation("GET", "/alerts", role=Role.VIEWER, answer=AlertFigures)
async def get_alert_figures(figures: Asked) -> object:
    """Get how much was processed and sent, and how quickly."""
    done, measured = figures.history.of(ALERTS), figures.measured
    sent = {channel: n for (channel, outcome), n in figures.history.attempts.items() if outcome == "delivered"}
    spread = None if measured is None else measured.recent.spread(ALERT_LATENCY)
    return {
        "processed": done.completed,
        "errors": done.errors,
        "latency": None if spread is None else latency(merged(spread.values())),
        "by_framework": None if spread is None else {of: latency(one) for of, one in sorted(spread.items()) if of},
        "notifications_sent": sent,
        "window_seconds": WINDOW_SECONDS,
    }


@resource.operation("GET", "/cache", role=Role.VIEWER, answer=CacheFigures)
async def get_cache_figures(figures: Asked) -> object:
    """Get how often the cache had the answer."""
    measured = figures.measured
    if measured is None:
        return dict.fromkeys(CacheFigures.model_fields) | {"window_seconds": WINDOW_SECONDS}
    total = lookups(measured.total)
    return {
        "hits": total.hits,
        "misses": total.misses,
        "errors": total.errors,
        "hit_rate": total.hit_rate,
        "classes": lookups_by_class(measured.total),
        "recent": lookups(measured.recent),
        "window_seconds": WINDOW_SECONDS,
    }


@resource.operation("GET", "/queue", role=Role.VIEWER, answer=QueueFigures)
async def get_queue_figures(figures: Asked) -> object:
    """Get what is in the queues, and whether that is healthy."""
    return {
        **{queue: figures.history.states(queue) for queue in QUEUES},
        "healthy": figures.queues_healthy,
        "failed_jobs": figures.failed_jobs,
        "delayed_jobs": figures.delayed_jobs,
        "success_rate": figures.success_rate,
    }


@resource.operation("GET", "/websocket", role=Role.VIEWER, answer=SocketFigures)
async def get_socket_figures(figures: Asked) -> object:
    """Get how many sockets are open and what went through them."""
    measured = figures.measured
    if measured is None:
        return dict.fromkeys(SocketFigures.model_fields)
    return {
        "connected_clients": measured.levels[WS_CLIENTS],
        "active_subscriptions": measured.levels[WS_SUBSCRIPTIONS],
        "messages_sent": measured.total.sum(WS_SENT),
        "messages_received": measured.total.sum(WS_RECEIVED),
        "errors": measured.total.sum(WS_ERRORS),
    }


@resource.operation("GET", "/prometheus", role=Role.VIEWER, text=PlainTextResponse)
async def get_exposition(figures: Asked) -> Response:
    """Get the figures for Prometheus, in its text format."""
    return PlainTextResponse(exposition.text(figures), media_type=CONTENT_TYPE_PLAIN_0_0_4)
