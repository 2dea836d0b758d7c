"""The outermost layer: a span for each request, headers that browsers heed, and no trace of internals in a failure."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from http import HTTPMethod, HTTPStatus
from typing import Final

from opentelemetry.trace import Span, SpanKind, format_trace_id
from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from convex_common.tracing import exemplar_of, exporting, failed, new_traceparent, span_from
from convex_gateway.origins import Site
from convex_gateway.problems import internal
from convex_gateway.timings import Timings

log = logging.getLogger(__name__)

HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
"""On every answer that has no other: whatever it holds, a browser runs nothing of it and shows it in no frame."""

SECURED: Final = (b"strict-transport-security", b"max-age=31536000")
"""Where the browser speaks HTTPS: for a year it speaks nothing else with this host."""

NOT_STORED: Final = (b"cache-control", b"no-store")
NEVER_STORED: Final = ("/api/", "/auth/")
_ADDED: Final = {
    (api, secure): (*HEADERS, *((NOT_STORED,) if api else ()), *((SECURED,) if secure else ()))
    for api in (False, True)
    for secure in (False, True)
}
UNTRACED: Final = frozenset({"/healthz", "/readyz"})


class Shield:
    """Continues the caller's `traceparent`. A failure is logged once and answered 500 with the trace's id.

    `hot` are applications by method and path that are answered right here: routing costs more than their work.
    """

    def __init__(
        self,
        app: ASGIApp,
        hot: Mapping[tuple[str, str], ASGIApp] | None = None,
        site: Site | None = None,
        seconds: Histogram | None = None,
    ) -> None:
        self._app = app
        self._timings = Timings(seconds)
        self._site = site or Site()
        self._hot = hot or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        api = scope["path"].startswith(NEVER_STORED)
        answer = _Answer(send, _ADDED[api, self._site.secure(scope)])
        if scope["path"] in UNTRACED:
            await self._app(scope, receive, answer)
            return
        began, exemplar = time.perf_counter(), None
        try:
            exemplar = await self._traced(scope, receive, answer)
        finally:
            self._timings.observe(scope["path"], answer.status, time.perf_counter() - began, exemplar)

    async def _traced(self, scope: Scope, receive: Receive, answer: _Answer) -> dict[str, str] | None:
        """What leads from the request's duration to its trace."""
        hot = self._hot.get((scope["method"], scope["path"]))
        if hot is not None and not exporting():
            await self._guarded(hot, scope, receive, answer, trace_id=None)
            return None
        with span_from(_traceparent(scope), _method(scope), kind=SpanKind.SERVER) as span:
            trace_id = format_trace_id(span.get_span_context().trace_id)
            await self._guarded(hot or self._app, scope, receive, answer, trace_id)
            if span.is_recording():
                _describe(span, scope, scope["path"] if hot else getattr(scope.get("route"), "path", None), answer)
            return exemplar_of(span)

    async def _guarded(
        self, app: ASGIApp, scope: Scope, receive: Receive, answer: _Answer, trace_id: str | None
    ) -> None:
        try:
            await app(scope, receive, answer)
        except Exception:
            trace_id = trace_id or new_traceparent().split("-")[1]
            told = {"method": scope["method"], "path": scope["path"], "trace_id": trace_id}
            log.exception("request failed", extra=told)
            if answer.started:
                raise
            await internal(trace_id)(scope, receive, answer)


class _Answer:
    """The way out: adds what headers are missing, remembers what was sent."""

    def __init__(self, send: Send, added: Sequence[tuple[bytes, bytes]]) -> None:
        self._send = send
        self._added = added
        self.status = 0

    @property
    def started(self) -> bool:
        return self.status != 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            present = {name.lower() for name, _ in headers}
            message["headers"] = headers + [header for header in self._added if header[0] not in present]
        await self._send(message)


def _describe(span: Span, scope: Scope, route: str | None, answer: _Answer) -> None:
    """By OpenTelemetry's conventions for HTTP. The path only where it led somewhere: in another may be a secret."""
    method = _method(scope)
    span.set_attribute("http.request.method", method)
    span.set_attribute("url.scheme", scope["scheme"])
    span.set_attribute("http.response.status_code", answer.status)
    if route:
        span.update_name(f"{method} {route}")
        span.set_attribute("http.route", route)
        if answer.status < HTTPStatus.BAD_REQUEST:
            span.set_attribute("url.path", scope["path"])
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        failed(span, str(answer.status))


def _method(scope: Scope) -> str:
    """The method, where it is one: clients send what they like."""
    return scope["method"] if scope["method"] in HTTPMethod.__members__ else "_OTHER"


def _traceparent(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"traceparent":
            return bytes(value).decode("latin-1")
    return None
