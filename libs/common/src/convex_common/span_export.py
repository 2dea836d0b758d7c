"""The export of spans: what a process says of itself, what is kept, and a collector that may be slow or away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState, get_current_span
from opentelemetry.util.types import Attributes

log = logging.getLogger(__name__)

GRACE: Final = 3.0
"""Seconds that the last spans have to leave when the process stops: no collector may keep a pod from ending."""

_REPEAT_AFTER: Final = 600.0


class SpanExport:
    """Gathers spans and sends them from a thread of its own: 2,048 wait at most (OTEL_BSP_*), more are dropped."""

    def __init__(self, service: str, endpoint: str, exporter: SpanExporter | None = None) -> None:
        self.provider = TracerProvider(resource=_resource(service), shutdown_on_exit=False)
        self.provider.sampler = ByLinks(self.provider.sampler)
        logging.getLogger("opentelemetry.exporter.otlp").setLevel(logging.CRITICAL)  # told by `_Told` instead, once
        logging.getLogger("opentelemetry.sdk._shared_internal").addFilter(_Rarely())
        sender = exporter or OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        self.provider.add_span_processor(BatchSpanProcessor(_Told(sender)))

    def shutdown(self, within: float = GRACE) -> None:
        """Send what waits; what the collector has not taken within 3 s is lost."""
        ending = threading.Thread(target=self.provider.shutdown, name="last-spans", daemon=True)
        ending.start()
        ending.join(within)


class ByLinks(Sampler):
    """A span that begins a trace to work for others, such as a batch's, is kept where one of those is.

    Left to chance, one of 100 batches would be kept, and hardly any that a kept event points at.
    """

    def __init__(self, otherwise: Sampler) -> None:
        self._otherwise = otherwise

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """By its links where it has some and no parent, else as OTEL_TRACES_SAMPLER says."""
        if links and not get_current_span(parent_context).get_span_context().is_valid:
            kept = any(link.context.trace_flags.sampled for link in links)
            return SamplingResult(Decision.RECORD_AND_SAMPLE if kept else Decision.DROP, attributes)
        return self._otherwise.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """As OpenTelemetry names samplers."""
        return f"ByLinks{{{self._otherwise.get_description()}}}"


class _Told(SpanExporter):
    """Says once that spans are lost, and once that they are not any more."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        failing = result is not SpanExportResult.SUCCESS
        if failing and not self._failing:
            log.warning("traces: the collector takes no spans; they are dropped until it does")
        elif self._failing and not failing:
            log.info("traces: the collector takes spans again")
        self._failing = failing
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class _Rarely(logging.Filter):
    """Each message of a library once in ten minutes: it says of every single span that its queue is full."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        if now < self._said.get(str(record.msg), -_REPEAT_AFTER) + _REPEAT_AFTER:
            return False
        self._said[str(record.msg)] = now
        return True


def _resource(service: str) -> Resource:
    """OTEL_RESOURCE_ATTRIBUTES, where Kubernetes tells its pod, wins over what is known here."""
    known = {"service.name": service, "service.namespace": "convex-alerts", "service.version": _version()}
    return Resource.create(known).merge(OTELResourceDetector().detect())


def _version() -> str:
    try:
        return version("convex-common")
    except PackageNotFoundError:
        return "unknown"
