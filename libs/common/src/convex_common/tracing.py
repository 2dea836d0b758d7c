"""OpenTelemetry: spans where a collector is configured, and a traceparent on every row and message in any case.

Attributes are ids, counts and names of a short list: no address's path, no query, no text of an error. What went wrong
is told, redacted, by the log's lines with the same `trace_id`.
"""

from __future__ import annotations

import functools
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    NonRecordingSpan,
    ProxyTracerProvider,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    TracerProvider,
)

if TYPE_CHECKING:
    from convex_common.settings import CommonSettings
    from convex_common.span_export import SpanExport

Attributes = Mapping[str, str | int | float | bool]

_SCOPE: Final = "convex"
_SAMPLED: Final = frozenset("13579bdf")
"""The last digit of the flags of a trace that is kept."""

_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)


def configure(service: str, settings: CommonSettings) -> SpanExport | None:
    """Export this process's spans by OTLP over HTTP; None, and no cost, without OTEL_EXPORTER_OTLP_ENDPOINT.

    Call `shutdown()` on what it returns at the end, so that the last spans leave. The other OTEL_* variables mean what
    OpenTelemetry says.
    """
    if not settings.otel_exporter_otlp_endpoint:
        return None
    from convex_common.span_export import SpanExport  # the SDK's import costs what every process would pay

    export = SpanExport(settings.otel_service_name or f"convex-{service}", settings.otel_exporter_otlp_endpoint)
    trace.set_tracer_provider(export.provider)
    return export


def exporting() -> bool:
    """Whether spans are recorded at all: with the export off, opening one costs more than a hot path can spare."""
    return not isinstance(trace.get_tracer_provider(), ProxyTracerProvider)


def wanted(traceparent: str | None) -> bool:
    """Whether a span that continues it may be recorded. Cheap: most of many events are not, where one of 100 is kept.

    Without a parent the sampler decides, and so it does where it is told to look at no parent.
    """
    if not exporting():
        return False
    return traceparent is None or not _follows_parents() or is_sampled(traceparent)


def is_sampled(traceparent: str | None) -> bool:
    """Whether whoever wrote it keeps its trace; not read any closer than that."""
    return traceparent is not None and traceparent[54:55] in _SAMPLED


def current_traceparent() -> str | None:
    """The current span as W3C writes it, or None outside of any."""
    return traceparent_of(trace.get_current_span())


def current_trace_id() -> str | None:
    """The id of the trace that the current span belongs to, or None outside of any."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def new_traceparent() -> str:
    """The current span, or outside of any a fresh trace, so that every row has one even with the export off."""
    return current_traceparent() or _random_traceparent()


def traceparent_of(span: Span) -> str | None:
    """A span as W3C writes it, or None where it is none."""
    context = span.get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def trace_id_of(traceparent: str | None) -> str | None:
    """The id of the trace that a row or a message belongs to."""
    context = _read(traceparent)
    return None if context is None else trace.format_trace_id(context.trace_id)


def exemplar_of(span: Span | None = None) -> dict[str, str] | None:
    """For a histogram's bucket: the span, by default the current one; None where nobody could find its trace."""
    span = trace.get_current_span() if span is None else span
    context = span.get_span_context()
    if not (span.is_recording() and context.trace_flags.sampled):
        return None
    return {"trace_id": trace.format_trace_id(context.trace_id), "span_id": trace.format_span_id(context.span_id)}


@contextmanager
def span_from(
    traceparent: str | None,
    name: str,
    *,
    links: Sequence[str] = (),
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes | None = None,
) -> Iterator[Span]:
    """A span that continues `traceparent`, or starts a trace, and points at the traces it works for.

    With the export off the trace's id is carried all the same, for logs and onward messages. A malformed traceparent
    is as good as none: it came from outside.
    """
    span = started_from(traceparent, name, links=links, kind=kind, attributes=attributes)
    if not span.get_span_context().is_valid:
        fresh = _read(_random_traceparent())
        span = NonRecordingSpan(fresh) if fresh else span
    with _current(span):
        yield span


@contextmanager
def span_within(
    name: str, *, kind: SpanKind = SpanKind.INTERNAL, attributes: Attributes | None = None, links: Sequence[str] = ()
) -> Iterator[Span]:
    """A part of the current span; nothing at all where that is not recorded."""
    if not trace.get_current_span().is_recording():
        yield INVALID_SPAN
        return
    with _current(_tracer().start_span(name, kind=kind, attributes=attributes, links=_links(links))) as span:
        yield span


def started_from(
    traceparent: str | None,
    name: str,
    *,
    links: Sequence[str] = (),
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes | None = None,
    start_time: int | None = None,
) -> Span:
    """Such a span without making it the current one: for many at a time. The caller ends it. `start_time` in ns."""
    parent = _read(traceparent)
    within = trace.set_span_in_context(NonRecordingSpan(parent), Context()) if parent else Context()
    return _tracer().start_span(
        name, context=within, links=_links(links), kind=kind, attributes=attributes, start_time=start_time
    )


def failed(span: Span, error: BaseException | str) -> None:
    """The span's work failed: by which kind of error. Its text stays out, which may quote a row or an address."""
    kind = error if isinstance(error, str) else type(error).__qualname__
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR, kind))


def current_span() -> Span:
    """The span that this thread or task is in; one that takes everything and tells nothing outside of any."""
    return trace.get_current_span()


@contextmanager
def _current(span: Span) -> Iterator[Span]:
    with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield span
        except Exception as error:
            failed(span, error)
            raise


def _tracer() -> Tracer:
    return _tracer_of(trace.get_tracer_provider())


@functools.lru_cache(maxsize=1)
def _tracer_of(provider: TracerProvider) -> Tracer:
    return provider.get_tracer(_SCOPE)


@functools.lru_cache(maxsize=1)
def _follows_parents() -> bool:
    """As OTEL_TRACES_SAMPLER says; by default a trace is kept where its beginning was."""
    return os.environ.get("OTEL_TRACES_SAMPLER", "parentbased").strip().lower().startswith("parentbased")


def _links(traceparents: Sequence[str]) -> list[Link]:
    return [Link(context) for context in map(_read, traceparents) if context]


def _random_traceparent() -> str:
    """Sampled, so that a service downstream that does export keeps the trace."""
    return f"00-{secrets.randbits(128) or 1:032x}-{secrets.randbits(64) or 1:016x}-01"


def _read(traceparent: str | None) -> SpanContext | None:
    match = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if match is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in match.groups()[:3])
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
