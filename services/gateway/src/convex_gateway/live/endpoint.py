"""`GET /ws`: who may open a socket, and from where."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from convex_common.errors import Unauthorized
from convex_gateway.live.admission import Admission
from convex_gateway.live.handshake import Credentials, credentials, origin_allowed
from convex_gateway.live.lobby import Lobby, Terms
from convex_gateway.live.session import Session
from convex_gateway.live.wire import EXTENSION, Wire
from convex_gateway.problems import problem

if TYPE_CHECKING:
    from convex_gateway.context import Gateway


def routes(gateway: Gateway, terms: Terms | None = None) -> list[BaseRoute]:
    """The WebSocket's route. Needs uvicorn with a protocol of ours (`server.options`)."""
    return [
        WebSocketRoute("/ws", Endpoint(gateway, terms), name="live"),
        Route("/ws", _upgrade_required, methods=["GET"], include_in_schema=False),
    ]


async def _upgrade_required(_: Request) -> Response:
    detail = "this address speaks WebSocket: connect to it by ws:// or wss://"
    return problem(426, "upgrade-required", "Upgrade Required", detail, headers={"Upgrade": "websocket"})


class Endpoint:
    """Opens sessions within the limits of the settings. An ASGI application that returns once a session is on its way.

    It speaks ASGI itself: what starlette would make for each connection costs more than the session.
    """

    def __init__(self, gateway: Gateway, terms: Terms | None = None) -> None:
        settings = gateway.settings
        self._sessions = gateway.sessions
        self._allowed = settings.allowed_origins
        self._lobby = Lobby(
            gateway.hub,
            gateway.authenticator,
            Admission(
                max_per_user=settings.ws_max_per_user,
                max_per_workspace=settings.ws_max_per_workspace,
                max_per_address=settings.ws_max_per_address,
                connect_rate=settings.ws_connect_rate,
            ),
            terms or Terms(heartbeat=settings.ws_heartbeat_interval / 1000, silence=settings.ws_timeout / 1000),
            gateway.metrics.websocket_connections_active,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection, from its opening request until it does without us."""
        await receive()  # the request itself
        headers = Headers(scope=scope)
        if not origin_allowed(headers.get("origin"), headers.get("host"), self._allowed):
            await send({"type": "websocket.close", "code": 1008, "reason": ""})  # before it is accepted: HTTP 403
            return
        if self._lobby.hub.draining:
            await _told_to_come_back(send)
            return
        wire = _wire(scope)
        given = credentials(headers, scope["subprotocols"], scope["query_string"].decode("latin-1"))
        if given.token is None and given.refusal is None:
            given = self._by_cookie(scope, headers.get("origin"), given)
        await send({"type": "websocket.accept", "subprotocol": given.subprotocol, "headers": []})
        client = scope.get("client")
        session = Session(self._lobby, wire, client[0] if client else "")
        wire.attach(session)
        await session.begin(given)
        await wire.attend()

    def _by_cookie(self, scope: Scope, origin: str | None, given: Credentials) -> Credentials:
        """With the session of a page's cookie, where the browser says that the page is ours or a listed one."""
        sessions = self._sessions
        if origin is None or not sessions.site.allows(origin, scope, self._allowed):
            return given
        try:
            return replace(given, session=sessions.token_in(scope))
        except Unauthorized as error:
            return replace(given, refusal=str(error))


async def _told_to_come_back(send: Send) -> None:
    """503 to who comes by a connection from before we stopped listening."""
    headers = [(b"retry-after", b"1")]
    await send({"type": "websocket.http.response.start", "status": 503, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b""})


def _wire(scope: Scope) -> Wire:
    wire = scope.get("extensions", {}).get(EXTENSION)
    if wire is None:
        raise RuntimeError("/ws needs uvicorn started with a protocol of ours: use convex_gateway.live.server.options")
    checked: Wire = wire
    return checked
