"""The orchestrator's probes. The gateway is ready without its stores: it answers 503 and heals by itself."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route


async def _healthz(_: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _readyz(request: Request) -> Response:
    serving = request.app.state.gateway.serving
    return PlainTextResponse("ok\n") if serving else PlainTextResponse("not ok\n", 503)


def routes() -> list[BaseRoute]:
    """`/healthz`: the process lives. `/readyz`: it has started and is not about to stop."""
    return [Route("/healthz", _healthz), Route("/readyz", _readyz)]
