"""How messages on Redis look in a trace, by OpenTelemetry's conventions for messaging."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.trace import INVALID_SPAN, Span, SpanKind

from convex_common.contracts import Contract
from convex_common.tracing import Attributes, current_traceparent, failed, span_from, traceparent_of, wanted


@dataclass(frozen=True, slots=True)
class Sending:
    """A message under way; `traceparent` is what it carries."""

    traceparent: str | None
    span: Span = INVALID_SPAN

    def ended(self, *, sent: bool) -> bool:
        """Whether it was sent, which is told back. A hint that was not is no loss: a poller finds the rows."""
        if not sent and self.span.is_recording():
            failed(self.span, "not_sent")
        return sent


def attributes_of(name: str, kind: str, destination: str, contract: str) -> Attributes:
    """What a span says of a message: what is done with it, in OpenTelemetry's word as well, and what it is."""
    return {
        "messaging.system": "redis",
        "messaging.destination.name": destination,
        "messaging.operation.name": name,
        "messaging.operation.type": kind,
        "convex.contract": contract,
    }


@contextmanager
def sending(contract: Contract[Any], traceparent: str | None) -> Iterator[Sending]:
    """In the trace named, or the current one; without a span where that is not kept."""
    traceparent = traceparent or current_traceparent()
    if traceparent is None or not wanted(traceparent):
        yield Sending(traceparent)
        return
    about = attributes_of("send", "send", contract.queue, contract.name)
    with span_from(traceparent, f"send {contract.queue}", kind=SpanKind.PRODUCER, attributes=about) as span:
        yield Sending(traceparent_of(span), span)
