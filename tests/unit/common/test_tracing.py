"""Traces are carried with the export off, and exported as one tree with it on."""

from __future__ import annotations

import re

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from convex_common import tracing
from convex_common.settings import CommonSettings
from convex_common.tracing import current_traceparent, new_traceparent, span_from

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-1af7651916cd43dd8448eb211c80319d-c7ad6b7169203332-01"
W3C = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01")


def trace_id(traceparent: str | None) -> str:
    assert traceparent
    return traceparent.split("-")[1]


def test_without_an_endpoint_nothing_is_exported() -> None:
    settings = CommonSettings(redis_url="redis://r", database_url="postgresql://d/x")
    assert tracing.configure("gateway", settings) is None


def test_outside_of_a_span_there_is_none_but_a_new_one_can_be_had() -> None:
    assert current_traceparent() is None
    assert W3C.fullmatch(new_traceparent())
    assert new_traceparent() != new_traceparent()


def test_a_span_continues_its_parent_with_the_export_off() -> None:
    with span_from(PARENT, "work"):
        assert trace_id(current_traceparent()) == trace_id(PARENT)
        assert new_traceparent() == current_traceparent()
    assert current_traceparent() is None


@pytest.mark.parametrize(
    "malformed",
    [None, "", "rubbish", "00-" + "0" * 32 + "-b7ad6b7169203331-01", PARENT.replace("00-", "ff-", 1), PARENT + "x"],
)
def test_without_a_usable_parent_a_trace_begins(malformed: str | None) -> None:
    with span_from(PARENT, "outer"), span_from(malformed, "work"):
        assert W3C.fullmatch(current_traceparent() or "")
        assert trace_id(current_traceparent()) != trace_id(PARENT), "the batch's span is none of the outer one's"


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    return exporter


def test_exported_spans_know_parent_links_and_failure(exported: InMemorySpanExporter) -> None:
    with pytest.raises(RuntimeError, match="poison"), span_from(PARENT, "batch", links=[OTHER, "rubbish"]):
        raise RuntimeError("poison")
    span: ReadableSpan
    (span,) = exported.get_finished_spans()
    assert span.parent is not None
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == trace_id(PARENT)
    assert [f"{link.context.trace_id:032x}" for link in span.links] == [trace_id(OTHER)]
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes == {"error.type": "RuntimeError"}
    assert not span.events, "an exception's text may quote rows and addresses"


UNSAMPLED = PARENT[:-1] + "0"


def test_nothing_is_wanted_while_nothing_is_exported() -> None:
    assert not tracing.wanted(PARENT)
    assert not tracing.wanted(None)


@pytest.mark.usefixtures("exported")
@pytest.mark.parametrize(("traceparent", "wanted"), [(PARENT, True), (UNSAMPLED, False), (None, True), ("00-x", False)])
def test_of_many_events_only_those_of_kept_traces_cost_a_span(traceparent: str | None, wanted: bool) -> None:
    assert tracing.wanted(traceparent) is wanted


def test_an_exemplar_names_a_kept_trace_only(exported: InMemorySpanExporter) -> None:
    assert tracing.exemplar_of() is None
    with span_from(UNSAMPLED, "work"):
        assert tracing.exemplar_of() is None
    with span_from(PARENT, "work"):
        exemplar = tracing.exemplar_of()
    (span,) = exported.get_finished_spans()
    assert span.context is not None
    assert exemplar == {"trace_id": trace_id(PARENT), "span_id": f"{span.context.span_id:016x}"}


def test_a_part_is_recorded_where_its_whole_is(exported: InMemorySpanExporter) -> None:
    with tracing.span_within("alone"):
        assert current_traceparent() is None
    with span_from(UNSAMPLED, "unkept"), tracing.span_within("part"):
        assert trace_id(current_traceparent()) == trace_id(PARENT)
    assert not exported.get_finished_spans()
    with span_from(PARENT, "whole"), tracing.span_within("part"):
        pass
    part, whole = exported.get_finished_spans()
    assert part.parent == whole.context
