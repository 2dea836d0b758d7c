"""Refuses bodies beyond their limit while they arrive, before anybody parses or even gathers them."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from convex_gateway.problems import BodyTooLarge, on_http_error

MIB: Final = 1024 * 1024
LIMIT: Final = MIB
INGEST_LIMIT: Final = 8 * MIB
INGEST_PATHS: Final = ("/api/v1/triggers", "/api/v1/observations", "/api/v1/ingest/")


def limit_of(path: str) -> int:
    """The most bytes that a request to this path may carry."""
    return INGEST_LIMIT if path.startswith(INGEST_PATHS) else LIMIT


class BodyLimit:
    """413 by Content-Length where there is one, and by counting where there is none or it lied."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = limit_of(scope["path"])
        if _announced(scope) > limit:
            refusal = await on_http_error(None, BodyTooLarge(limit))
            await refusal(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > limit:
                    raise BodyTooLarge(limit)
            return message

        await self._app(scope, counted, send)


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0
