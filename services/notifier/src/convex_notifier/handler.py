"""One delivery: load, decide, send, save. Only loading and saving are transactions; none is open while it is sent."""

from __future__ import annotations

import datetime as dt
import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import Final

import psycopg
from opentelemetry.trace import SpanKind

from convex_common.contracts import DELIVERIES_DUE
from convex_common.errors import ConvexError, LeaseLost, StoreUnavailable
from convex_common.ids import Ids
from convex_common.logging import bound
from convex_common.metrics import Metrics
from convex_common.secretbox import SecretBox
from convex_common.tracing import span_from
from convex_notifier.breakers import Breakers
from convex_notifier.channels.channel import Channel
from convex_notifier.deliveries import Attempt, Claim, Deliveries, Loaded
from convex_notifier.domain import answer, outcome
from convex_notifier.domain.answer import Answer
from convex_notifier.domain.backoff import Backoff
from convex_notifier.domain.message import Destination
from convex_notifier.domain.outcome import Delivered, Outcome, RetryIn

log = logging.getLogger(__name__)

SAVE_PATIENCE: Final = 120.0
"""Seconds that a thread keeps trying to save what it sent while PostgreSQL is away. It has nothing better to do, and
what is saved before another worker claims the delivery is not sent twice."""

FIRST_PAUSE, LAST_PAUSE = 0.1, 1.0


class DeliveryHandler:
    """Carries claimed deliveries out. Thread-safe; `slot` tells the threads' counters apart."""

    def __init__(
        self,
        deliveries: Deliveries,
        channels: Mapping[str, Channel],
        breakers: Breakers,
        secrets: SecretBox,
        ids: Ids,
        metrics: Metrics,
        *,
        backoff: Backoff,
        attempt_seconds: float,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._deliveries = deliveries
        self._channels = channels
        self._breakers = breakers
        self._secrets = secrets
        self._ids = ids
        self._metrics = metrics
        self._backoff = backoff
        self._attempt_seconds = attempt_seconds
        self._chance = chance

    def handle(self, claim: Claim, slot: int) -> None:
        """One claimed delivery. What happens to it is on its row; a lost lease leaves it to whoever has it."""
        with bound(workspace_id=claim.workspace_id, delivery_id=claim.id):
            try:
                loaded = self._deliveries.load(claim)
                with (
                    bound(alert_id=loaded.message.alert_id),
                    span_from(loaded.message.traceparent, "notification deliver", kind=SpanKind.CLIENT),
                    self._metrics.queue_processing_seconds.labels(DELIVERIES_DUE.queue).time(),
                ):
                    self._deliver(claim, loaded, slot)
            except LeaseLost as error:
                log.info("left to another worker: %s", error)

    def _deliver(self, claim: Claim, loaded: Loaded, slot: int) -> None:
        refusal = self._refusal(loaded)
        if not refusal and (wait := self._breakers.wait(loaded.target)):
            self._save(lambda: self._deliveries.put_off(claim, wait, "its target keeps failing and is left alone"))
            return
        if claim.failures == 0:
            self._metrics.queue_wait_seconds.labels(DELIVERIES_DUE.queue).observe(max(0.0, loaded.age))
        attempt = self._attempt(loaded, refusal)
        decided = outcome.of_answer(attempt.answer, claim.failures, self._backoff, self._chance())
        self._save(lambda: self._deliveries.settle(claim, attempt, decided, slot))
        self._tell(loaded, attempt, decided)

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
        try:
            config = (
                loaded.config if loaded.secrets is None else {**loaded.config, **self._secrets.open(loaded.secrets)}
            )
            destination = Destination(channel_id=loaded.channel_id, kind=loaded.kind, config=config)
            return self._channels[loaded.kind].send(loaded.message, destination, deadline)
        except ConvexError as error:
            return answer.unavailable(str(error))
        except Exception as error:  # a fault of ours must not take the thread along; the ledger tells of it
            log.exception("an attempt failed in a way that was not foreseen")
            return answer.unavailable(f"the notifier failed: {type(error).__name__}")

    def _save(self, write: Callable[[], None]) -> None:
        """Write, again and again while PostgreSQL is away; LeaseLost where another worker was quicker."""
        deadline, pause = time.monotonic() + SAVE_PATIENCE, FIRST_PAUSE
        while True:
            try:
                return write()
            except (StoreUnavailable, psycopg.InterfaceError) as error:
                if time.monotonic() + pause > deadline:
                    raise LeaseLost(f"what was sent could not be saved: {error}") from error
            time.sleep(pause)
            pause = min(pause * 2, LAST_PAUSE)

    def _tell(self, loaded: Loaded, attempt: Attempt, decided: Outcome) -> None:
        name = "retry" if isinstance(decided, RetryIn) else type(decided).__name__.lower()
        self._metrics.notifications_sent.labels(loaded.kind, name).inc()
        level = logging.INFO if isinstance(decided, Delivered) else logging.WARNING
        facts = {
            "channel": loaded.kind,
            "outcome": name,
            "status_code": attempt.answer.status_code,
            "duration_ms": round(attempt.seconds * 1000, 1),
            "error": attempt.answer.error,
        }
        log.log(level, "attempt %s", name, extra=facts)
