"""Which pages of other origins may call the API: those of an allow-list, with a token, and never by a cookie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from convex_gateway.problems import problem

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
ASKED: Final = ("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "traceparent")
TOLD: Final = ("ETag", "Idempotency-Replayed", "Location", "Retry-After", "WWW-Authenticate")
REMEMBERED: Final = 600


class CrossOrigin(CORSMiddleware):
    """Answers a browser's preflight before anybody is asked who they are; it is there only where there is a list.

    Credentials are never allowed, so that what `*` lets in is what anybody may send from anywhere: a token.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=ASKED,
            allow_credentials=False,
            expose_headers=TOLD,
            max_age=REMEMBERED,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """What the page may send; a problem where it may not."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        kept = {name: answer.headers[name] for name in ("vary",) if name in answer.headers}
        detail = "Pages of this origin, or with this method or these headers, may not call this API."
        return problem(403, "cross-origin", "Not from there", detail, headers=kept)
