"""One offset of a workspace's feed, as the gateway keeps and sends it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Trace:
    """What led to a change whose trace is kept, and when that was accepted, in milliseconds since the epoch."""

    traceparent: str
    accepted_ms: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A change of an alert: `frame` is the client's JSON text, `at` in seconds since the epoch.

    `trace` is there where the change came live.
    """

    offset: int
    framework_id: UUID
    frame: bytes
    at: float
    trace: Trace | None = None
