"""A claim's way through: slices by workspace, halved around a poisonous event, keys kept in order."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Sequence

import psycopg
from opentelemetry.trace import SpanKind

from convex_common.contracts import DELIVERIES_DUE, EVENTS_ACCEPTED, MAX_DELIVERIES, DeliveryIds
from convex_common.domain.self_audit import of_people
from convex_common.errors import LeaseLost, StoreUnavailable
from convex_common.ids import milliseconds
from convex_common.measures import ALERT_LATENCY, QUEUE_PROCESSING, QUEUE_WAIT, Measures
from convex_common.metrics import Metrics
from convex_common.ports import FeedPublisher, HintSender
from convex_common.postgres.database import Connection
from convex_common.tracing import span_within
from convex_processor import claims, failures
from convex_processor.claims import Claim, ClaimedEvent
from convex_processor.decide import EventFailed
from convex_processor.handler import EventHandler, Outcome, Release
from convex_processor.spans import TracedEvents, traced

LEASE_LOST = "CX001"
CONTENDED = ("CX002", "40001", "40P01", "55P03")
TRIES = 5

_TRANSACTION = {"db.system.name": "postgresql", "db.operation.name": "transaction", "db.collection.name": "alerts"}

log = logging.getLogger(__name__)


class BatchProcessor:
    """Works a claim off. Raises LeaseLost, or psycopg.OperationalError where PostgreSQL failed; what was not finished
    stays in the inbox."""

    def __init__(
        self,
        connection: Connection,
        handler: EventHandler,
        publisher: FeedPublisher,
        sender: HintSender,
        metrics: Metrics,
        measures: Measures,
    ) -> None:
        self._connection = connection
        self._handler = handler
        self._publisher = publisher
        self._sender = sender
        self._metrics = metrics
        self._measures = measures

    def run(self, claim: Claim) -> None:
        """Process every slice, then give the shards back; with the last slice's transaction where nothing failed."""
        slices = list(claim.by_workspace().items())
        released = False
        for place, (workspace_id, events) in enumerate(slices):
            release = Release(claim.token, claim.shards) if place == len(slices) - 1 else None
            version = claim.config_versions[workspace_id]
            if self._whole(workspace_id, events, version, release):
                released = release is not None
            else:
                self._halved(workspace_id, events, version, set())
        if not released:
            claims.give_back(self._connection, claim.token, claim.shards)

    def _whole(
        self, workspace_id: uuid.UUID, events: Sequence[ClaimedEvent], version: int, release: Release | None
    ) -> bool:
        """Whether the slice went through in one piece."""
        try:
            self._commit(workspace_id, events, version, release)
        except Exception as error:
            _raise_if_not_the_events_fault(error)
            return False
        return True

    def _halved(self, workspace_id: uuid.UUID, events: Sequence[ClaimedEvent], version: int, held: set[bytes]) -> None:
        """Process in halves, in order. An event that fails alone is recorded, and its key waits behind it."""
        todo = [event for event in events if event.key not in held]
        if not todo:
            return
        try:
            self._commit(workspace_id, todo, version, None)
        except EventFailed as error:
            self._failed(error.event, error, held)
            self._halved(workspace_id, [event for event in todo if event.id != error.event.id], version, held)
        except Exception as error:
            _raise_if_not_the_events_fault(error)
            if len(todo) == 1:
                self._failed(todo[0], error, held)
                return
            middle = len(todo) // 2
            self._halved(workspace_id, todo[:middle], version, held)
            self._halved(workspace_id, todo[middle:], version, held)

    def _failed(self, event: ClaimedEvent, error: Exception, held: set[bytes]) -> None:
        failures.record(self._connection, event, error, self._metrics)
        if event.attempts + 1 < failures.MAX_ATTEMPTS:
            held.add(event.key)

    def _commit(
        self, workspace_id: uuid.UUID, events: Sequence[ClaimedEvent], version: int, release: Release | None
    ) -> None:
        """One transaction, tried again where another was quicker; then the live feed and the notifier's hint."""
        began = _now_ms()
        with traced(workspace_id, events) as work:
            with span_within("transaction alerts", kind=SpanKind.CLIENT, attributes=_TRANSACTION):
                outcome = self._tried(lambda: self._handler.process(workspace_id, work.events, version, release))
            work.decided(outcome.entries)
            self._sent(workspace_id, work, outcome, began)

    def _tried(self, process: Callable[[], Outcome]) -> Outcome:
        for attempt in range(TRIES):
            try:
                return process()
            except psycopg.Error as error:
                if error.sqlstate not in CONTENDED or attempt == TRIES - 1:
                    raise
        raise AssertionError("unreachable")

    def _sent(self, workspace_id: uuid.UUID, work: TracedEvents, outcome: Outcome, began: float) -> None:
        for start in range(0, len(outcome.delivery_ids), MAX_DELIVERIES):
            chunk = outcome.delivery_ids[start : start + MAX_DELIVERIES]
            self._sender.send(DELIVERIES_DUE, DeliveryIds(tuple(map(str, chunk))), work.first)
        self._publisher.publish(outcome.live_events)
        self._measure(workspace_id, work, outcome.frameworks, began)

    def _measure(self, workspace_id: uuid.UUID, work: TracedEvents, frameworks: Sequence[str], began: float) -> None:
        """By framework how long each event took; of the batch, how long its oldest event waited, and its work."""
        if not of_people(workspace_id):
            return
        now, events = _now_ms(), work.events
        latencies = [max(0.0, now - milliseconds(event.id)) for event in events]
        for event, latency in zip(events, latencies, strict=True):
            self._metrics.alert_processing_latency_ms.observe(latency, work.exemplar(event))
        self._metrics.alerts_processed.inc(len(events))
        self._measures.observe_all(workspace_id, ALERT_LATENCY, zip(frameworks, latencies, strict=True))
        self._measures.observe(workspace_id, QUEUE_WAIT, max(latencies) - (now - began), EVENTS_ACCEPTED.queue)
        self._measures.observe(workspace_id, QUEUE_PROCESSING, now - began, EVENTS_ACCEPTED.queue)


def _now_ms() -> float:
    return time.time_ns() / 1e6


def _raise_if_not_the_events_fault(error: Exception) -> None:
    """A lost lease and a lost server end the claim; anything else is laid at an event's door."""
    if isinstance(error, psycopg.Error) and error.sqlstate == LEASE_LOST:
        raise LeaseLost("another worker took the shards over") from error
    if isinstance(error, psycopg.Error) and error.sqlstate in CONTENDED:
        raise error
    if isinstance(error, psycopg.OperationalError) and not isinstance(error, psycopg.errors.QueryCanceled):
        raise error
    if isinstance(error, psycopg.InterfaceError | StoreUnavailable):
        raise error
