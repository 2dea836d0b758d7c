"""What surrounds a message's handler: its trace, and how long it waited and took."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import Any

from dramatiq import Broker, MessageProxy, Middleware
from opentelemetry.trace import SpanKind

from convex_common.metrics import Metrics
from convex_common.redis.spans import attributes_of
from convex_common.tracing import exemplar_of, span_from


class Traces(Middleware):
    """Runs each handler in a span that continues the sender's trace, by `traceparent` among the message's options."""

    def __init__(self) -> None:
        self._local = threading.local()

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        span = ExitStack()
        about = attributes_of("process", "process", message.queue_name, message.actor_name)
        span.enter_context(
            span_from(
                message.options.get("traceparent"),
                f"process {message.queue_name}",
                kind=SpanKind.CONSUMER,
                attributes={**about, "messaging.message.id": message.message_id},
            )
        )
        self._local.span = span

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        span: ExitStack = self._local.span
        span.__exit__(type(exception) if exception else None, exception, None)

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        self._local.span.close()


class Timings(Middleware):
    """Observes `queue_wait_seconds`, from the sender's clock, and `queue_processing_seconds`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._local = threading.local()

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        waited = max(0.0, time.time() - message.message_timestamp / 1000)
        self._metrics.queue_wait_seconds.labels(message.queue_name).observe(waited, exemplar_of())
        self._local.began = time.perf_counter()

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        took = time.perf_counter() - self._local.began
        self._metrics.queue_processing_seconds.labels(message.queue_name).observe(took, exemplar_of())


def standard(metrics: Metrics) -> list[Middleware]:
    """What every worker runs its handlers in. No retries, no time limit: the rows' leases and next attempts decide."""
    return [Traces(), Timings(metrics)]
