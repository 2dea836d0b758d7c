"""What a decision changes: the alert after it, the rows of its log, the notifications, the timers."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from itertools import chain
from typing import Any, Self

from convex_common.domain.alert import Alert, Event, Reason
from convex_common.domain.channel import Channel
from convex_common.domain.verdict import Judged


class Cause(StrEnum):
    """Why people are told; with the alert and a sequence it makes a notification unique."""

    FIRED = "fired"
    REMINDER = "reminder"
    ESCALATION = "escalation"
    RESOLVED = "resolved"
    TEST = "test"
    ASSIGNED = "assigned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of the alert log, and one frame of the live feed: the alert as it was after this.

    `before` is the same alert right before; without it, what depends on alerts has to assume anything.
    """

    alert: Alert
    event: Event
    reason: Reason
    notified: bool = False
    count: int = 1
    actor: str | None = None
    event_ids: tuple[uuid.UUID, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)
    traceparent: str | None = None
    before: Alert | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A notification to be made, with one delivery per channel. `sequence` counts the alert's notifications from 1."""

    alert: Alert
    cause: Cause
    reason: Reason
    sequence: int
    channels: tuple[Channel, ...]
    traceparent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Personal:
    """Something about an alert for one person's in-app inbox, whatever the channels are."""

    alert: Alert
    user_id: str
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """Something to look at again at `due_at`; setting it anew moves it. `due_at` None takes it away."""

    kind: str
    subject: str
    key: bytes
    shard: int
    due_at: dt.datetime | None
    payload: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Everything that one transaction writes about alerts. `folded` ones differ in their counters only."""

    created: tuple[Alert, ...] = ()
    folded: tuple[Alert, ...] = ()
    updated: tuple[Alert, ...] = ()
    entries: tuple[Entry, ...] = ()
    notices: tuple[Notice, ...] = ()
    timers: tuple[Timer, ...] = ()
    judged: tuple[Judged, ...] = ()
    personal: tuple[Personal, ...] = ()

    @classmethod
    def of(cls, parts: Iterable[Self]) -> Self:
        """What several decisions on different alerts come to, in their order."""
        listed = list(parts)
        if len(listed) == 1:
            return listed[0]
        return cls(**{one.name: tuple(chain(*(getattr(part, one.name) for part in listed))) for one in fields(cls)})

    def within(self, traceparent: str) -> Self:
        """The same as part of a trace: what names none of its own belongs to this one."""
        return replace(
            self,
            entries=tuple(replace(entry, traceparent=entry.traceparent or traceparent) for entry in self.entries),
            notices=tuple(replace(notice, traceparent=notice.traceparent or traceparent) for notice in self.notices),
        )
