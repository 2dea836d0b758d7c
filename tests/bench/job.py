"""What a generator is told to do, and what it answers."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from enum import StrEnum

ALERTMANAGER = "/api/v2/alerts"
TRIGGERS = "/api/v1/triggers"
OBSERVATIONS = "/api/v1/observations"


class Follow(StrEnum):
    """Where what was accepted is waited for."""

    NOTHING = "nothing"
    WEBSOCKET = "websocket"
    WEBHOOK = "webhook"


@dataclass(frozen=True)
class Job:
    """Triggers, or what else the path takes, with `labels.host` telling their fingerprints or series apart."""

    url: str
    token: str | None = None
    rule_id: str = ""
    framework_id: str = ""
    """Whose metric `observed` is observed."""
    path: str = TRIGGERS
    rate: float = 0.0
    """Triggers per second; 0 for a closed loop, as fast as answers come."""
    seconds: float = 10.0
    total: int = 0
    """Stop after so many triggers; 0: by time alone."""
    connections: int = 16
    batch: int = 1
    """Triggers per request."""
    fingerprints: int = 1000
    """How many open alerts the triggers fold into; they are opened before the measurement begins."""
    primed_by: str = ""
    """The `run` that has opened them already."""
    new_percent: float = 10.0
    """How many of a hundred triggers open an alert of their own instead."""
    follow: Follow = Follow.NOTHING
    webhook_port: int = 0
    drain_seconds: float = 15.0
    """How long to wait at most for what was accepted and not seen yet."""
    patience_seconds: float = 15.0
    """How long to wait at most for the next one of these."""
    kill: tuple[int, ...] = ()
    """Processes to kill -9 in the moment of the last answer."""
    quiet: bool = False
    """Refusals are expected: none of them is shown."""
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])


@dataclass
class Result:
    """Latencies in milliseconds, from when the request was due, waiting for a free connection included."""

    accepted: int = 0
    errors: int = 0
    seconds: float = 0.0
    """From the first request to the last one's sending."""
    answer_ms: list[float] = field(default_factory=list)
    seen_ms: list[float] = field(default_factory=list)
    seen_seconds: float = 0.0
    """From the first request to the last one's being seen."""
    unseen: int = 0
    frames: int = 0
    close_code: int | None = None
    """Why the server closed the subscriber's WebSocket, if it did."""
    cpu_share: float = 0.0
    """Of one core, while it sent."""

    @property
    def rate(self) -> float:
        """Accepted per second."""
        return self.accepted / self.seconds if self.seconds else 0.0

    @property
    def seen_rate(self) -> float:
        """Seen per second."""
        return len(self.seen_ms) / self.seen_seconds if self.seen_seconds else 0.0
