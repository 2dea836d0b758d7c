"""The application: routes, their description, and what surrounds them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from types import MappingProxyType
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from convex_common.errors import ConvexError
from convex_gateway import openapi, problems
from convex_gateway.body_limit import BodyLimit
from convex_gateway.context import Gateway
from convex_gateway.cross_origin import CrossOrigin
from convex_gateway.routes import (
    alerts,
    analytics,
    anomalies,
    api_keys,
    audit,
    backtests,
    broadcast,
    channels,
    deliveries,
    feed,
    frameworks,
    health,
    jobs,
    me,
    measures,
    members,
    notifications,
    observations,
    patterns,
    predictions,
    queues,
    rules,
    silences,
    statistics,
    workspace,
)
from convex_gateway.shield import Shield
from convex_gateway.signin.oidc import routes as oidc
from convex_gateway.signin.routes import routes as sign_in

RESOURCES = (
    frameworks,
    rules,
    backtests,
    channels,
    alerts,
    silences,
    observations,
    feed,
    analytics,
    statistics,
    anomalies,
    patterns,
    deliveries,
    notifications,
    me,
    broadcast,
    predictions,
    queues,
    measures,
    audit,
    workspace,
    members,
    api_keys,
    jobs,
)

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_NO_TELEMETRY: Final[TelemetryConfig] = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""Spans are the shield's. FastAPI's own double them and carry whole queries, where careless clients put tokens."""


@dataclass(frozen=True)
class Parts:
    """Routes beside REST, tried before it or after it; how OpenAPI describes them; the hot ones by method and path."""

    first: Sequence[BaseRoute] = ()
    last: Sequence[BaseRoute] = ()
    paths: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    components: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    hot: Mapping[tuple[str, str], ASGIApp] = field(default_factory=dict)

    @property
    def sockets(self) -> Mapping[str, ASGIApp]:
        """What is behind the WebSockets' addresses."""
        return {route.path: route.app for route in self.first if isinstance(route, WebSocketRoute)}


def all_parts(gateway: Gateway) -> Parts:
    """Ingest, the live feed's socket, and the dashboard."""
    from convex_gateway.dashboard.routes import routes as dashboard
    from convex_gateway.ingest.openapi import COMPONENTS, PATHS
    from convex_gateway.ingest.routes import hot
    from convex_gateway.ingest.routes import routes as ingest
    from convex_gateway.live.endpoint import routes as live

    taken = ingest(gateway)
    return Parts([*taken, *live(gateway)], dashboard(gateway), PATHS, COMPONENTS, hot(taken))


class _Application(FastAPI):
    """Hands WebSockets to what is behind their address at once: all layers before it are HTTP's."""

    sockets: Mapping[str, ASGIApp] = MappingProxyType({})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        socket = self.sockets.get(scope["path"]) if scope["type"] == "websocket" else None
        if socket is not None:
            await socket(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(gateway: Gateway, *, parts: Parts | None = None, lifespan: Lifespan | None = None) -> FastAPI:
    """The ASGI application of one gateway; `parts` are all, unless a test wants fewer."""
    parts = all_parts(gateway) if parts is None else parts
    origins = gateway.settings.cors_origins
    hot = {at: CrossOrigin(hottest, origins) if origins else hottest for at, hottest in parts.hot.items()}
    app = _Application(
        title=openapi.TITLE,
        openapi_url="/openapi.json",
        docs_url=None,  # the page of our own: FastAPI's loads scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan or _no_lifespan,
        telemetry=_NO_TELEMETRY,
        middleware=[
            Middleware(
                Shield,
                hot=hot,
                site=gateway.sessions.site,
                seconds=gateway.metrics.http_request_seconds,
            ),
            *([Middleware(CrossOrigin, origins=origins)] if origins else []),
            Middleware(BodyLimit),
        ],
        exception_handlers={
            ConvexError: problems.on_convex_error,
            HTTPException: _on_http_error,
            RequestValidationError: problems.on_invalid_request,
        },
    )
    app.state.gateway = gateway
    app.sockets = parts.sockets
    rest = [route for resource in RESOURCES for route in resource.resource.routes]
    app.router.routes.extend([*parts.first, *_in_order(rest), *sign_in, *oidc, *health.routes(), *parts.last])

    @cache
    def described() -> dict[str, Any]:
        return openapi.describe(app, version("convex-gateway"), parts.paths, parts.components)

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's own way to describe an app otherwise
    return app


async def _on_http_error(request: Request, error: Exception) -> Response:
    """As everywhere; a 405 lists the methods of all operations at its address, of which routing saw the first alone."""
    answer = await problems.on_http_error(request, error)
    if answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers["Allow"] = ", ".join(sorted(_methods_at(request)))
    return answer


class _Refused:
    """Answers 405 to every method: the end of the line for an address whose own methods come before it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED)


def _in_order(rest: Sequence[Route]) -> list[Route]:
    """Words before forms, so that a word that is an address of its own, such as `bulk`, is not taken for an id."""
    words = [route for route in rest if not route.param_convertors]
    forms = [route for route in rest if route.param_convertors]
    closed = [Route(path, _Refused(), include_in_schema=False) for path in dict.fromkeys(route.path for route in words)]
    return [*words, *closed, *forms]


def _methods_at(request: Request) -> set[str]:
    """Those of the address itself, where it has a name of its own; else those of the form that it has."""
    found = _others_at(request)
    named = [route for route in found if not route.param_convertors]
    return {method for route in named or found for method in route.methods or ()}


def _others_at(request: Request) -> list[Route]:
    """The operations at this address that take another method."""
    routes: Sequence[BaseRoute] = request.app.router.routes
    return [r for r in routes if isinstance(r, Route) and r.matches(request.scope)[0] is Match.PARTIAL]


@asynccontextmanager
async def _no_lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield
