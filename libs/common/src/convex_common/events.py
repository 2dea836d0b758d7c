"""What an inbox row holds: the payloads that the gateway writes and the processor reads, as tagged JSON."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any, ClassVar, get_args

import msgspec

CRITICAL_LANE = 0
NORMAL_LANE = 1
MAX_OBSERVATIONS = 500


class Trigger(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One occurrence of a rule's condition, vouched for by its sender. Key: the fingerprint."""

    kind: ClassVar[str] = "trigger"
    rule_id: uuid.UUID
    framework_id: uuid.UUID
    value: float
    threshold: float | None = None
    alert_type: str | None = None
    severity: str | None = None
    resolved: bool = False
    labels: dict[str, str] = {}
    context: dict[str, Any] = {}
    occurred_at: dt.datetime | None = None


class Observation(msgspec.Struct, frozen=True, array_like=True):
    """One value of one series."""

    framework_id: uuid.UUID
    metric: str
    value: float
    labels: dict[str, str]
    at: dt.datetime


class Observations(msgspec.Struct, frozen=True, kw_only=True):
    """At most 500 observations whose series share one shard, in the order sent. Key: observations_key of the shard."""

    kind: ClassVar[str] = "observations"
    items: list[Observation]


class SourceAlert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Another tool's alert. Key: the fingerprint of its own labels in its source's framework."""

    kind: ClassVar[str] = "source_alert"
    source: str
    framework_id: uuid.UUID
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: dt.datetime | None = None
    ends_at: dt.datetime | None = None
    resolved: bool = False
    generator_url: str = ""


class WindowEnd(msgspec.Struct, frozen=True, kw_only=True):
    """Timer: the suppression window of a silently reopened alert ends. Key: the fingerprint."""

    kind: ClassVar[str] = "timer:window_end"
    alert_id: uuid.UUID


class HoldEnd(msgspec.Struct, frozen=True, kw_only=True):
    """Timer: a rule's hold on a series, begun at `since` (Unix time), ends. Key: observations_key of its shard."""

    kind: ClassVar[str] = "timer:hold_end"
    rule_id: uuid.UUID
    series: str
    since: float


class ForecastDue(msgspec.Struct, frozen=True, kw_only=True):
    """Timer: look ahead for a forecast rule on a series. Key: observations_key of its shard."""

    kind: ClassVar[str] = "timer:forecast"
    rule_id: uuid.UUID
    series: str


class SourceEnd(msgspec.Struct, frozen=True, kw_only=True):
    """Timer: another tool's alert ends by itself, having been sent no more. Key: the fingerprint."""

    kind: ClassVar[str] = "timer:source_end"
    alert_id: uuid.UUID
    ends_at: dt.datetime


class Withdrawn(msgspec.Struct, frozen=True, kw_only=True):
    """Timer, due at once: nothing can clear an open alert any more, and why that is so. Key: the fingerprint.

    `rule_id` None: its whole framework is gone.
    """

    kind: ClassVar[str] = "timer:withdrawn"
    rule_id: uuid.UUID | None
    reason: str


class SilenceDue(msgspec.Struct, frozen=True, kw_only=True):
    """Timer: a silence was made, begins, or was expired; whom does it concern? Key: its own.

    `again`: the second look, for alerts that were being decided on while the first was taken.
    """

    kind: ClassVar[str] = "timer:silence"
    silence_id: uuid.UUID
    again: bool = False


class SilenceEnd(msgspec.Struct, frozen=True, kw_only=True):
    """Timer: a silence of an alert begins or ends; see who is to be told. Key: the fingerprint."""

    kind: ClassVar[str] = "timer:silence_end"
    alert_id: uuid.UUID


class SnoozeEnd(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Timer: an alert's snooze ends. Key: the fingerprint.

    `early`: a person has ended it already; see who is to be told of what it withheld.
    """

    kind: ClassVar[str] = "timer:snooze_end"
    alert_id: uuid.UUID
    early: bool = False


Payload = (
    Trigger
    | Observations
    | SourceAlert
    | WindowEnd
    | HoldEnd
    | ForecastDue
    | SourceEnd
    | Withdrawn
    | SilenceDue
    | SilenceEnd
    | SnoozeEnd
)

OfAlert = WindowEnd | SourceEnd | SilenceEnd | SnoozeEnd
"""Timers that are about one alert."""

_TYPES: dict[str, msgspec.json.Decoder[Any]] = {kind.kind: msgspec.json.Decoder(kind) for kind in get_args(Payload)}
_ENCODER = msgspec.json.Encoder()


def encode(payload: Payload) -> bytes:
    """The payload's JSON; its kind is stored beside it."""
    return _ENCODER.encode(payload)


def decode(kind: str, payload: bytes) -> Payload:
    """The typed payload. Raises ValueError for an unknown kind or a payload of another shape."""
    decoder = _TYPES.get(kind)
    if decoder is None:
        raise ValueError(f"no event is called {kind!r}")
    decoded: Payload = decoder.decode(payload)
    return decoded
