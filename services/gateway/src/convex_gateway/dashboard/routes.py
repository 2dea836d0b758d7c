"""Serves the live page's and the API's description's files, read once, with headers that let nothing else run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

if TYPE_CHECKING:
    from convex_gateway.context import Gateway

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS: Final = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
"""What the shield gives to every answer is not repeated here."""

PAGES: Final = {"index.html": "/", "docs.html": "/docs"}
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class File:
    """A file as it is sent."""

    content: bytes
    headers: dict[str, str]

    def answer(self, request: Request) -> Response:
        """The file, or 304 where the browser has it."""
        if request.headers.get("if-none-match") == self.headers["ETag"]:
            return Response(status_code=304, headers=self.headers)
        return Response(self.content, headers=self.headers)


def routes(_: Gateway) -> list[BaseRoute]:
    """The pages and one route for each file beside them; nothing is looked up on disk by a request's path."""
    return [
        Route(PAGES.get(name, f"/dashboard/{name}"), file.answer, include_in_schema=False)
        for name, file in _files().items()
    ]


def _files() -> dict[str, File]:
    folder = resources.files("convex_gateway.dashboard") / "static"
    return {entry.name: _file(entry.name, entry.read_bytes()) for entry in folder.iterdir()}


def _file(name: str, content: bytes) -> File:
    kind = TYPES["." + name.rpartition(".")[2]]
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return File(content, {**HEADERS, "Content-Type": kind, "ETag": etag})
