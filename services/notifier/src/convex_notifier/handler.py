"""One delivery: decide, send, hand over what became of it. No transaction is open while it is sent."""

from __future__ import annotations

import datetime as dt
import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import Final

from opentelemetry.trace import SpanKind

from convex_common.contracts import DELIVERIES_DUE
from convex_common.domain.channel import ChannelKind
from convex_common.domain.self_audit import of_people
from convex_common.errors import ConvexError
from convex_common.ids import Ids
from convex_common.logging import bound
from convex_common.measures import QUEUE_PROCESSING, QUEUE_WAIT, Measures
from convex_common.metrics import Metrics
from convex_common.tracing import Attributes, current_span, exemplar_of, failed, span_from, span_within
from convex_notifier.breakers import Breakers
from convex_notifier.channels.channel import Channel
from convex_notifier.deliveries import Loaded
from convex_notifier.destinations import Destinations
from convex_notifier.domain import answer, concealed, outcome
from convex_notifier.domain.answer import Answer, Verdict
from convex_notifier.domain.backoff import Backoff
from convex_notifier.domain.outcome import Delivered, Outcome, PutOff, RetryIn
from convex_notifier.settlements import Attempt, Settlement

_DELIVERIES: Final = {
    "messaging.system": "postgresql",
    "messaging.destination.name": "deliveries",
    "messaging.operation.name": "process",
    "messaging.operation.type": "process",
}

log = logging.getLogger(__name__)


class DeliveryHandler:
    """Carries claimed deliveries out. Thread-safe."""

    def __init__(
        self,
        settle: Callable[[Settlement], None],
        channels: Mapping[str, Channel],
        breakers: Breakers,
        destinations: Destinations,
        ids: Ids,
        metrics: Metrics,
        measures: Measures,
        *,
        backoff: Backoff,
        attempt_seconds: float,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._settle = settle
        self._channels = channels
        self._breakers = breakers
        self._destinations = destinations
        self._ids = ids
        self._waited = metrics.queue_wait_seconds.labels(DELIVERIES_DUE.queue)
        self._took = metrics.queue_processing_seconds.labels(DELIVERIES_DUE.queue)
        metrics.expect_channels(ChannelKind(kind) for kind in channels)
        self._sent_total = metrics.notifications_sent
        self._delivered_in = metrics.notification_delivery_seconds
        self._undelivered = metrics.notifications_undelivered
        self._measures = measures
        self._backoff = backoff
        self._attempt_seconds = attempt_seconds
        self._chance = chance

    def handle(self, loaded: Loaded) -> None:
        """One claimed delivery. What happens to it is on its row, unless another worker has its lease by then."""
        message, began = loaded.message, time.perf_counter()
        with (
            bound(workspace_id=message.workspace_id, delivery_id=message.delivery_id, alert_id=message.alert_id),
            span_from(message.traceparent, "process deliveries", kind=SpanKind.CONSUMER, attributes=_about(loaded)),
        ):
            settlement = self._deliver(loaded)
            self._settle(settlement)
            self._took.observe(time.perf_counter() - began, exemplar_of())

    def _deliver(self, loaded: Loaded) -> Settlement:
        refusal = self._refusal(loaded)
        if not refusal and (wait := self._breakers.wait(loaded.target)):
            current_span().set_attribute("convex.outcome", "putoff")
            return Settlement(loaded.claim, None, PutOff(wait, "its target keeps failing and is left alone"))
        if loaded.claim.failures == 0:
            if of_people(loaded.message.workspace_id):
                self._waited.observe(max(0.0, loaded.age), exemplar_of())
            self._observe(loaded, QUEUE_WAIT, loaded.age)
        attempt = self._attempt(loaded, refusal)
        self._observe(loaded, QUEUE_PROCESSING, attempt.seconds)
        decided = outcome.of_answer(attempt.answer, loaded.claim.failures, self._backoff, self._chance())
        self._tell(loaded, attempt, decided)
        counts = loaded.message.cause != "test" and of_people(loaded.message.workspace_id)
        if counts and not refusal:  # what nobody wanted any more was not missed
            self._count_end(loaded.kind, loaded.age + attempt.seconds, decided)
        return Settlement(loaded.claim, attempt, decided)

    def _observe(self, loaded: Loaded, name: str, seconds: float) -> None:
        self._measures.observe(loaded.message.workspace_id, name, 1000 * seconds, DELIVERIES_DUE.queue)

    def _refusal(self, loaded: Loaded) -> str | None:
        return outcome.refusal(
            loaded.kind,
            loaded.message.cause,
            enabled=loaded.enabled,
            deleted=loaded.deleted,
            known=loaded.kind in self._channels,
        )

    def _attempt(self, loaded: Loaded, refusal: str | None) -> Attempt:
        attempt_id, started_at, began = self._ids.new(), dt.datetime.now(dt.UTC), time.monotonic()
        if refusal:
            return Attempt(attempt_id, answer.rejected(refusal), started_at, 0.0)
        given = self._sent(loaded, began + self._attempt_seconds)
        self._breakers.tell(loaded.target, given.verdict)
        return Attempt(attempt_id, given, started_at, time.monotonic() - began)

    def _sent(self, loaded: Loaded, deadline: float) -> Answer:
        """Inside a span to which the channel's transport adds what it knows, such as HTTP's attributes."""
        number = loaded.claim.failures
        with span_within(
            f"attempt {loaded.kind}", kind=SpanKind.CLIENT, attributes={"convex.attempt": number + 1}
        ) as span:
            given = self._given(loaded, deadline)
            if given.verdict is not Verdict.ACCEPTED:
                failed(span, str(given.status_code or given.verdict.value))
            if number and given.status_code is not None:
                span.set_attribute("http.request.resend_count", number)
            return given

    def _given(self, loaded: Loaded, deadline: float) -> Answer:
        try:
            destination = self._destinations.of(loaded)
            return concealed.within(
                self._channels[loaded.kind].send(loaded.message, destination, deadline), destination.concealed
            )
        except ConvexError as error:
            return answer.unavailable(str(error))
        except Exception as error:  # a fault of ours must not take the thread along; the ledger tells of it
            log.exception("an attempt failed in a way that was not foreseen")
            return answer.unavailable(f"the notifier failed: {type(error).__name__}")

    def _count_end(self, kind: str, age: float, decided: Outcome) -> None:
        """The objective is about how notifications end, not about single attempts."""
        if isinstance(decided, Delivered):
            self._delivered_in.labels(kind).observe(max(0.0, age), exemplar_of())
        elif not isinstance(decided, RetryIn):
            self._undelivered.labels(kind, type(decided).__name__.lower()).inc()

    def _tell(self, loaded: Loaded, attempt: Attempt, decided: Outcome) -> None:
        name = "retry" if isinstance(decided, RetryIn) else type(decided).__name__.lower()
        if of_people(loaded.message.workspace_id):
            self._sent_total.labels(loaded.kind, name).inc()
        span = current_span()
        span.set_attribute("convex.outcome", name)
        if not isinstance(decided, Delivered):
            failed(span, attempt.answer.verdict.value)
        level = logging.DEBUG if isinstance(decided, Delivered) else logging.WARNING
        if not log.isEnabledFor(level):
            return
        facts = {
            "channel": loaded.kind,
            "outcome": name,
            "status_code": attempt.answer.status_code,
            "duration_ms": round(attempt.seconds * 1000, 1),
            "error": attempt.answer.error,
        }
        log.log(level, "attempt %s", name, extra=facts)


def _about(loaded: Loaded) -> Attributes:
    message = loaded.message
    about: dict[str, str | int] = {
        **_DELIVERIES,
        "messaging.message.id": str(message.delivery_id),
        "convex.workspace.id": str(message.workspace_id),
        "convex.cause": message.cause,
        "convex.channel.kind": loaded.kind,
        "convex.attempt": loaded.claim.failures + 1,
    }
    if message.alert_id is not None:
        about["convex.alert.id"] = str(message.alert_id)
    return about
