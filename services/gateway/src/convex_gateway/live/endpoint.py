"""`GET /ws`: who may open a socket, and from where."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from convex_common.errors import Unauthorized
from convex_gateway.live.admission import Admission
from convex_gateway.live.closing import CloseCode
from convex_gateway.live.handshake import Credentials, credentials, origin_allowed
from convex_gateway.live.session import Closed, Session, Terms
from convex_gateway.live.wire import EXTENSION, Wire
from convex_gateway.problems import problem

if TYPE_CHECKING:
    from convex_gateway.context import Gateway


def routes(gateway: Gateway, terms: Terms | None = None) -> list[BaseRoute]:
    """The WebSocket's route. Needs uvicorn with `ws=LiveProtocol` (`server.options`)."""
    return [
        WebSocketRoute("/ws", Endpoint(gateway, terms).serve, name="live"),
        Route("/ws", _upgrade_required, methods=["GET"], include_in_schema=False),
    ]


async def _upgrade_required(_: Request) -> Response:
    detail = "this address speaks WebSocket: connect to it by ws:// or wss://"
    return problem(426, "upgrade-required", "Upgrade Required", detail, headers={"Upgrade": "websocket"})


class Endpoint:
    """Opens sessions within the limits of the settings."""

    def __init__(self, gateway: Gateway, terms: Terms | None = None) -> None:
        settings = gateway.settings
        self._gateway = gateway
        self._terms = terms or Terms(
            heartbeat=settings.ws_heartbeat_interval / 1000, silence=settings.ws_timeout / 1000
        )
        self._admission = Admission(
            max_per_user=settings.ws_max_per_user,
            max_per_workspace=settings.ws_max_per_workspace,
            max_per_address=settings.ws_max_per_address,
            connect_rate=settings.ws_connect_rate,
        )

    async def serve(self, websocket: WebSocket) -> None:
        """One connection, from its opening request to its end."""
        headers = websocket.headers
        if not origin_allowed(headers.get("origin"), headers.get("host"), self._gateway.settings.allowed_origins):
            await websocket.close()  # before it is accepted: HTTP 403
            return
        given = credentials(headers, websocket.scope["subprotocols"], websocket.scope["query_string"].decode("latin-1"))
        if given.token is None and given.refusal is None:
            given = self._by_cookie(websocket, given)
        await websocket.accept(subprotocol=given.subprotocol)
        now = asyncio.get_running_loop().time()
        session = Session(
            self._gateway.hub, self._gateway.authenticator, _wire(websocket), websocket.receive, self._terms, now
        )
        address = websocket.client.host if websocket.client else ""
        refusal = self._admission.arrive(address, now)
        if refusal is not None:
            session.close(CloseCode.TOO_MANY, refusal)
            return
        active = self._gateway.metrics.websocket_connections_active
        active.inc()
        try:
            await self._converse(session, given)
        except Closed:
            pass
        finally:
            active.dec()
            self._admission.leave(address)

    def _by_cookie(self, websocket: WebSocket, given: Credentials) -> Credentials:
        """With the session of a page's cookie, where the browser says that the page is ours or a listed one."""
        sessions, origin = self._gateway.sessions, websocket.headers.get("origin")
        others = self._gateway.settings.allowed_origins
        if origin is None or not sessions.site.allows(origin, websocket.scope, others):
            return given
        try:
            return replace(given, session=sessions.token_in(websocket.scope))
        except Unauthorized as error:
            return replace(given, refusal=str(error))

    async def _converse(self, session: Session, given: Credentials) -> None:
        principal = await session.sign_in(given)
        refusal = self._admission.sign_in(principal.workspace_id, principal.user_id)
        if refusal is not None:
            session.close(CloseCode.TOO_MANY, refusal)
            return
        try:
            await session.converse(principal)
        finally:
            self._admission.sign_out(principal.workspace_id, principal.user_id)


def _wire(websocket: WebSocket) -> Wire:
    wire = websocket.scope.get("extensions", {}).get(EXTENSION)
    if wire is None:
        raise RuntimeError("/ws needs uvicorn started with ws=LiveProtocol: use convex_gateway.live.server.options")
    checked: Wire = wire
    return checked
