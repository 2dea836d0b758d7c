"""What is kept, what a process says of itself, and a collector that takes nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from convex_common.span_export import ByLinks, SpanExport


class Collector(SpanExporter):
    """Answers as it is told, or not before `hangs` seconds."""

    def __init__(self, *answers: SpanExportResult, hangs: float = 0.0) -> None:
        self._answers, self._hangs = list(answers), hangs
        self.taken: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        time.sleep(self._hangs)
        self.taken += spans
        return self._answers.pop(0) if self._answers else SpanExportResult.SUCCESS


def context(*, sampled: bool) -> SpanContext:
    return SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED if sampled else 0))


@pytest.mark.parametrize(
    ("links", "kept"),
    [
        pytest.param([False, True], True, id="one of its events is kept"),
        pytest.param([False, False], False, id="none is"),
        pytest.param([], False, id="it works for nobody: by chance, here never"),
    ],
)
def test_a_batch_is_kept_where_one_of_its_events_is(links: list[bool], kept: bool) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=ByLinks(ALWAYS_OFF))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    provider.get_tracer("t").start_span("batch", links=[Link(context(sampled=one)) for one in links]).end()
    assert bool(exporter.get_finished_spans()) is kept


def test_a_parent_decides_over_links() -> None:
    provider = TracerProvider(sampler=ByLinks(ALWAYS_ON))
    within = set_span_in_context(NonRecordingSpan(context(sampled=True)))
    span = provider.get_tracer("t").start_span("event", context=within, links=[Link(context(sampled=False))])
    assert span.is_recording()


def test_a_process_says_what_it_is_and_the_operator_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=gateway-1,service.namespace=mine")
    export = SpanExport("convex-gateway", "http://127.0.0.1:1", Collector())
    told = export.provider.resource.attributes
    export.shutdown()
    assert (told["service.name"], told["service.namespace"]) == ("convex-gateway", "mine")
    assert told["k8s.pod.name"] == "gateway-1"
    assert told["service.version"] != "unknown"


def test_a_collector_that_fails_is_said_once_and_so_is_its_return(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    failure = SpanExportResult.FAILURE
    collector = Collector(failure, failure, failure)
    export = SpanExport("convex-gateway", "http://127.0.0.1:1", collector)
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            export.provider.get_tracer("t").start_span("work").end()
            export.provider.force_flush()
    export.shutdown()
    assert [record.message for record in caplog.records] == [
        "traces: the collector takes no spans; they are dropped until it does",
        "traces: the collector takes spans again",
    ]
    assert len(collector.taken) == 5


def test_a_collector_that_hangs_delays_neither_the_work_nor_the_end(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "8")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
    export = SpanExport("convex-gateway", "http://127.0.0.1:1", Collector(hangs=60.0))
    began = time.monotonic()
    for _ in range(200):
        export.provider.get_tracer("t").start_span("work").end()
    assert time.monotonic() - began < 5, "two hundred spans into a queue of eight"
    assert len([record for record in caplog.records if "dropping" in record.message]) == 1
    began = time.monotonic()
    export.shutdown(within=0.2)
    assert time.monotonic() - began < 5
