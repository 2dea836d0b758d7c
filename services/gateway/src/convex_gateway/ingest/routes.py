"""The hot routes, put together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from convex_common.domain.role import Role, Scope
from convex_common.redis.cache.counts import CacheCounts
from convex_gateway.ingest.alertmanager import AlertmanagerAlerts
from convex_gateway.ingest.alertmanager_reads import AlertmanagerReads
from convex_gateway.ingest.endpoint import Endpoint, Operation
from convex_gateway.ingest.first_answers import FirstAnswers
from convex_gateway.ingest.observations import Observations
from convex_gateway.ingest.rules import FrameworkDirectory, RuleDirectory
from convex_gateway.ingest.triggers import Triggers

if TYPE_CHECKING:
    from convex_gateway.context import Gateway

TRIGGERS: Final = "/api/v1/triggers"
OBSERVATIONS: Final = "/api/v1/observations"
ALERTMANAGER: Final = "/api/v1/ingest/alertmanager"


def routes(gateway: Gateway) -> list[BaseRoute]:
    """Triggers, observations, and an Alertmanager's API; the most frequent first."""
    rules = RuleDirectory(gateway.database, CacheCounts("rules", gateway.metrics, gateway.measures))
    counts = CacheCounts("frameworks", gateway.metrics, gateway.measures)
    frameworks = FrameworkDirectory(gateway.database, gateway.ids, counts)
    triggers = Triggers(rules, gateway.writer)
    observations = Observations(frameworks, gateway.writer)
    writes = AlertmanagerAlerts(frameworks, gateway.writer)
    reads = AlertmanagerReads(gateway.database, dt.datetime.now(dt.UTC))
    operations = {
        TRIGGERS: {"POST": Operation(triggers.post)},
        OBSERVATIONS: {"POST": Operation(observations.post)},
        f"{ALERTMANAGER}/api/v2/alerts": {
            "POST": Operation(writes.post),
            "GET": Operation(reads.alerts, Role.VIEWER, Scope.READ),
        },
        f"{ALERTMANAGER}/api/v2/status": {"GET": Operation(reads.status, Role.VIEWER, Scope.READ)},
    }
    answers = FirstAnswers(gateway.database, gateway.secrets)
    endpoints = {
        path: Endpoint(gateway.authenticator, gateway.limits, answers, of_path) for path, of_path in operations.items()
    }
    return [
        *(Route(path, endpoint, methods=endpoint.methods) for path, endpoint in endpoints.items()),
        Route(f"{ALERTMANAGER}/-/healthy", _well, methods=["GET"]),
        Route(f"{ALERTMANAGER}/-/ready", _well, methods=["GET"]),
    ]


def hot(taken: Sequence[BaseRoute]) -> dict[tuple[str, str], ASGIApp]:
    """The endpoints among the routes by method and path, for whoever dispatches without routing."""
    return {
        (method, route.path): route.endpoint
        for route in taken
        if isinstance(route, Route) and isinstance(route.endpoint, Endpoint)
        for method in route.endpoint.methods
    }


async def _well(_: Request) -> Response:
    """What tools probe before they send; it tells nothing, so it takes no token."""
    return PlainTextResponse("OK")
