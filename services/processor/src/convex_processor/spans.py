"""What a batch's work looks like in its events' traces: a span for each event, one for the batch, linked both ways."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from opentelemetry.trace import Span, SpanKind

from convex_common.domain.change import Entry
from convex_common.tracing import (
    Attributes,
    exemplar_of,
    exporting,
    failed,
    span_from,
    started_from,
    traceparent_of,
    wanted,
)
from convex_processor.claims import ClaimedEvent
from convex_processor.decide import EventFailed

MAX_LINKS: Final = 128

_INBOX: Final[Attributes] = {
    "messaging.system": "postgresql",
    "messaging.destination.name": "inbox",
    "messaging.operation.name": "process",
    "messaging.operation.type": "process",
}


@dataclass(frozen=True, slots=True)
class TracedEvents:
    """A batch's events. Where their traces are kept, what comes of them continues their spans here."""

    events: Sequence[ClaimedEvent]
    _spans: dict[uuid.UUID, Span] = field(default_factory=dict)

    @property
    def first(self) -> str | None:
        """The trace to which the batch's hints belong: the first one that is kept."""
        span = next(iter(self._spans.values()), None)
        return None if span is None else traceparent_of(span)

    def exemplar(self, event: ClaimedEvent) -> dict[str, str] | None:
        """The event's trace for a histogram, where it is kept."""
        span = self._spans.get(event.id)
        return None if span is None else exemplar_of(span)

    def decided(self, entries: Iterable[Entry]) -> None:
        """Say on the events' spans what became of them."""
        if not self._spans:
            return
        for entry in entries:
            for event_id in entry.event_ids:
                if (span := self._spans.get(event_id)) is not None:
                    span.set_attribute("convex.alert.id", str(entry.alert.id))
                    span.set_attribute("convex.alert.event", entry.event.value)
                    span.set_attribute("convex.reason", entry.reason.value)
                    span.set_attribute("convex.notified", entry.notified)

    def blame(self, error: Exception) -> None:
        """Whose fault it was, where that is known; the others were only rolled back with it."""
        at_fault = error.event.id if isinstance(error, EventFailed) else None
        cause = error.__cause__ if isinstance(error, EventFailed) and error.__cause__ else error
        for event_id, span in self._spans.items():
            if len(self.events) == 1 or event_id == at_fault:
                failed(span, cause)
            else:
                span.set_attribute("convex.rolled_back", True)

    def end(self) -> None:
        """Their work is done."""
        for span in self._spans.values():
            span.end()


@contextmanager
def traced(workspace_id: uuid.UUID, events: Sequence[ClaimedEvent]) -> Iterator[TracedEvents]:
    """The events to process inside the block, which is their spans' time. Free where none of them is to be recorded."""
    kept = [event for event in events if wanted(event.traceparent)] if exporting() else []
    if not kept:
        yield TracedEvents(events)
        return
    links = [event.traceparent for event in kept[:MAX_LINKS] if event.traceparent]
    about = {**_INBOX, "convex.workspace.id": str(workspace_id)}
    batch_about = {**about, "messaging.batch.message_count": len(events)}
    with span_from(None, "process inbox", kind=SpanKind.CONSUMER, links=links, attributes=batch_about) as batch:
        spans = {event.id: span for event in kept if (span := _span(event, about, batch)).is_recording()}
        work = TracedEvents([_continued(event, spans) for event in events], spans)
        try:
            yield work
        except Exception as error:
            work.blame(error)
            raise
        finally:
            work.end()


def _span(event: ClaimedEvent, about: Attributes, batch: Span) -> Span:
    of_batch = traceparent_of(batch) if batch.is_recording() else None
    return started_from(
        event.traceparent,
        f"process {event.kind}",
        kind=SpanKind.CONSUMER,
        links=[of_batch] if of_batch else [],
        attributes={**about, "messaging.message.id": str(event.id), "convex.attempt": event.attempts + 1},
    )


def _continued(event: ClaimedEvent, spans: dict[uuid.UUID, Span]) -> ClaimedEvent:
    span = spans.get(event.id)
    return event if span is None else replace(event, traceparent=traceparent_of(span))
