"""Spans as a collector gets them: by OTLP over HTTP, at a receiver."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Wire
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.support.receiver import Receiver


@dataclass(frozen=True)
class Span:
    """One span; ids in hexadecimal, `links` are (trace, span), times in seconds since the epoch."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    links: tuple[tuple[str, str], ...]
    attributes: Mapping[str, Any]
    failed: bool
    began: float
    ended: float
    resource: Mapping[str, Any] = field(repr=False)

    @property
    def traceparent_id(self) -> tuple[str, str]:
        """What a link to it has."""
        return self.trace_id, self.span_id


def spans_at(collector: Receiver) -> list[Span]:
    """Every span that came so far."""
    return [
        _span(span, resource)
        for request in collector.at("/v1/traces")
        for exported in ExportTraceServiceRequest.FromString(request.body).resource_spans
        for resource in [_attributes(exported.resource.attributes)]
        for scope in exported.scope_spans
        for span in scope.spans
    ]


def tree(spans: Iterable[Span], parent_id: str) -> list[Any]:
    """Names by descent, sorted: `[service, kind, name, *children]` of each child of `parent_id`."""
    known = list(spans)
    below = [span for span in known if span.parent_id == parent_id]
    return sorted([span.service, span.kind, span.name, *tree(known, span.span_id)] for span in below)


def _span(span: Wire, resource: Mapping[str, Any]) -> Span:
    return Span(
        service=resource["service.name"],
        name=span.name,
        kind=Wire.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        attributes=_attributes(span.attributes),
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        began=span.start_time_unix_nano / 1e9,
        ended=span.end_time_unix_nano / 1e9,
        resource=resource,
    )


def _attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
