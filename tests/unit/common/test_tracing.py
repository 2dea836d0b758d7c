"""Traces are carried with the export off, and exported as one tree with it on."""

from __future__ import annotations

import re

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

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
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
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
    assert [event.name for event in span.events] == ["exception"]
