"""OpenTelemetry: spans where a collector is configured, and a traceparent on every row and message in any case."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, ProxyTracerProvider, Span, SpanContext, SpanKind, TraceFlags

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from convex_common.settings import CommonSettings

_SCOPE: Final = "convex"
_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)


def configure(service: str, settings: CommonSettings) -> TracerProvider | None:
    """Export this process's spans by OTLP over HTTP; None, and no cost, without OTEL_EXPORTER_OTLP_ENDPOINT.

    Call `shutdown()` on what it returns at the end, so that the last spans leave. The other OTEL_* variables mean what
    OpenTelemetry says.
    """
    if not settings.otel_exporter_otlp_endpoint:
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    name = settings.otel_service_name or f"convex-{service}"
    provider = TracerProvider(resource=Resource.create({"service.name": name, "service.namespace": "convex-alerts"}))
    endpoint = f"{settings.otel_exporter_otlp_endpoint.rstrip('/')}/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)
    return provider


def exporting() -> bool:
    """Whether spans are recorded at all: with the export off, opening one costs more than a hot path can spare."""
    return not isinstance(trace.get_tracer_provider(), ProxyTracerProvider)


def current_traceparent() -> str | None:
    """The current span as W3C writes it, or None outside of any."""
    return _written(trace.get_current_span().get_span_context())


def current_trace_id() -> str | None:
    """The id of the trace that the current span belongs to, or None outside of any."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def new_traceparent() -> str:
    """The current span, or outside of any a fresh trace, so that every row has one even with the export off."""
    return current_traceparent() or _random_traceparent()


@contextmanager
def span_from(
    traceparent: str | None, name: str, *, links: Sequence[str] = (), kind: SpanKind = SpanKind.INTERNAL
) -> Iterator[Span]:
    """A span that continues `traceparent`, or starts a trace, and points at the traces it works for.

    With the export off the trace's id is carried all the same, for logs and onward messages. A malformed traceparent
    is as good as none: it came from outside.
    """
    parent = _read(traceparent)
    tracer = trace.get_tracer(_SCOPE)
    linked = [Link(context) for context in map(_read, links) if context]
    within = trace.set_span_in_context(NonRecordingSpan(parent), Context()) if parent else Context()
    span = tracer.start_span(name, context=within, links=linked, kind=kind)
    if not span.get_span_context().is_valid:
        fresh = _read(_random_traceparent())
        span = NonRecordingSpan(fresh) if fresh else span
    with trace.use_span(span, end_on_exit=True):
        yield span


def _random_traceparent() -> str:
    """Sampled, so that a service downstream that does export keeps the trace."""
    return f"00-{secrets.randbits(128) or 1:032x}-{secrets.randbits(64) or 1:016x}-01"


def _written(context: SpanContext) -> str | None:
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def _read(traceparent: str | None) -> SpanContext | None:
    match = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if match is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in match.groups()[:3])
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
