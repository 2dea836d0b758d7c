"""A change's way to this process's sockets, as one span: ten thousand of them would say no more."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from opentelemetry.trace import SpanKind

from convex_common.tracing import Attributes, started_from, wanted
from convex_gateway.live.entry import Entry
from convex_gateway.live.socket import Socket

_LIVE: Final[Attributes] = {
    "messaging.system": "redis",
    "messaging.destination.name": "live",
    "messaging.operation.name": "write",
    "messaging.operation.type": "process",
    "network.protocol.name": "websocket",
}

Tell = Callable[[Socket], bool]


class SocketWrites:
    """Begun when the change came in, ended after the last write; in between it waited for its turn."""

    def __init__(self, entry: Entry, traceparent: str, accepted_ms: int | None, sockets: int) -> None:
        self._accepted_ms = accepted_ms
        self._slowest = 0.0
        self._written = 0
        self._span = started_from(
            traceparent,
            "write sockets",
            kind=SpanKind.CONSUMER,
            attributes={**_LIVE, "messaging.message.id": str(entry.offset), "convex.sockets.audience": sockets},
            start_time=int(entry.at * 1e9),
        )
        self._span.set_attribute("convex.waited_ms", _rounded(1000 * (time.time() - entry.at)))

    def timed(self, tell: Tell) -> Tell:
        """The same, watched."""

        def told(socket: Socket) -> bool:
            began = time.perf_counter()
            try:
                return tell(socket)
            finally:
                self._slowest = max(self._slowest, time.perf_counter() - began)

        return told

    def count(self, written: int) -> int:
        """So many more sockets were written to."""
        self._written += written
        return written

    def end(self) -> None:
        """All were told. How late is told from the acceptance of the event, by the clocks of two."""
        self._span.set_attribute("convex.sockets.written", self._written)
        self._span.set_attribute("convex.slowest_write_ms", _rounded(1000 * self._slowest))
        if self._accepted_ms is not None:
            self._span.set_attribute("convex.late_ms", _rounded(1000 * time.time() - self._accepted_ms))
        self._span.end()


def is_traced(entry: Entry) -> bool:
    """Whether a change's trace is kept."""
    return entry.trace is not None and wanted(entry.trace.traceparent)


def socket_writes(entry: Entry, sockets: int) -> SocketWrites | None:
    """For a change whose trace is kept."""
    trace = entry.trace
    if trace is None or not wanted(trace.traceparent):
        return None
    return SocketWrites(entry, trace.traceparent, trace.accepted_ms, sockets)


def _rounded(milliseconds: float) -> float:
    return round(milliseconds, 3)
