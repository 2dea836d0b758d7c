"""Alerts on the wire. Their answers are written by `domain.alert.as_wire`, as on the live feed; these describe them."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from convex_common.domain.alert import Event, Reason, Status
from convex_common.domain.severity import Severity
from convex_common.domain.verdict import Verdict
from convex_gateway.problems import FieldError
from convex_gateway.shapes.body import Answer, Body, Words
from convex_gateway.shapes.problem import Problem


class VerdictCount(Answer):
    """How many people say so; the last word of each counts."""

    useful: int
    false_alarm: int


class Alert(Answer):
    """The open episode that triggers with the same fingerprint fold into."""

    id: uuid.UUID
    fingerprint: str
    status: Status
    severity: Severity
    alert_type: str
    rule_id: uuid.UUID | None
    rule_name: str
    framework_id: uuid.UUID
    title: str
    current_value: float | None
    threshold_value: float | None
    labels: dict[str, str]
    context: dict[str, Any]
    occurrences: int
    triggered_at: dt.datetime
    last_seen_at: dt.datetime
    acknowledged_by: str | None
    acknowledged_at: dt.datetime | None
    resolved_by: str | None
    resolved_at: dt.datetime | None
    resolution_notes: str | None
    silenced_by: uuid.UUID | None = Field(default=None, description="The silence that keeps people from being told")
    silenced_until: dt.datetime | None = Field(default=None, description="When that ends")
    verdicts: VerdictCount = Field(description="What people said of it")
    version: int = Field(description="Give it as If-Match with a change")


class AlertPage(Answer):
    """Alerts, the newest first, and where the live feed stood as they were read: subscribe with `since` of these."""

    items: list[Alert]
    next_cursor: str | None
    epoch: uuid.UUID
    offset: int


class Acknowledgement(Body):
    """Nothing is needed."""


class Resolution(Body):
    """How it was resolved."""

    notes: Words | None = None


class Comment(Body):
    """A word about it."""

    text: Annotated[Words, Field(min_length=1)]


class VerdictGiven(Body):
    """Whether it was worth being told."""

    verdict: Verdict


class VerdictOnAlert(Answer):
    """One person's word on an alert, the last one."""

    user_id: str
    verdict: Verdict
    at: dt.datetime


class VerdictPage(Answer):
    """What people said of an alert, by their ids."""

    items: list[VerdictOnAlert]
    next_cursor: str | None


class BulkAction(Body):
    """What to do to which alerts."""

    ids: Annotated[list[uuid.UUID], Field(min_length=1, max_length=500)]
    action: Literal["acknowledge", "resolve"]
    notes: Words | None = Field(default=None, description="With `resolve`: how they were resolved")


def faults(asked: BulkAction) -> list[FieldError]:
    """What of it does not hold together."""
    seen: set[uuid.UUID] = set()
    wrong: list[FieldError] = []
    for place, alert_id in enumerate(asked.ids):
        if alert_id in seen:
            wrong.append(FieldError(field=f"ids[{place}]", message="is there twice"))
        seen.add(alert_id)
    if asked.notes is not None and asked.action != "resolve":
        wrong.append(FieldError(field="notes", message="goes with the action resolve"))
    return wrong


class BulkOutcome(Answer):
    """What became of one of many."""

    id: uuid.UUID
    ok: bool
    alert: Alert | None = Field(
        description="As it is now; null where it was refused, and with many large ones for the rest beyond 512 KiB"
    )
    problem: Problem | None = Field(description="Why it was refused and left as it was; null where it was done")


class BulkAnswer(Answer):
    """What became of each alert, in the order asked for."""

    items: list[BulkOutcome]


class LogEntry(Answer):
    """A change of the alert, or why a trigger notified nobody."""

    kind: Literal["log"]
    id: uuid.UUID
    at: dt.datetime
    event: Event
    reason: Reason | None
    count: int = Field(description="How many triggers this stands for")
    actor: str | None
    event_ids: list[uuid.UUID]
    offset: int
    detail: dict[str, Any]
    trace_id: str | None = Field(description="The trace of what led to it, where spans are exported")


class NotificationEntry(Answer):
    """People were told, on these channels."""

    kind: Literal["notification"]
    id: uuid.UUID
    at: dt.datetime
    cause: str
    sequence: int
    reason: str | None
    deliveries: list[DeliveryBrief]


class DeliveryBrief(Answer):
    """One channel's part of a notification, as it stands now."""

    id: uuid.UUID
    channel_id: uuid.UUID
    channel_name: str
    channel_kind: str
    status: str


class AttemptEntry(Answer):
    """A try of a delivery."""

    kind: Literal["attempt"]
    id: uuid.UUID
    at: dt.datetime
    delivery_id: uuid.UUID
    channel_id: uuid.UUID
    channel_name: str
    channel_kind: str
    number: int
    outcome: str
    status_code: int | None
    error: str | None
    duration_ms: float
    trace_id: str | None = Field(description="The trace of its alert's change, in which it is a span")


class TimelinePage(BaseModel):
    """Everything that happened with an alert, the oldest first, and where the live feed stood."""

    items: list[Annotated[LogEntry | NotificationEntry | AttemptEntry, Field(discriminator="kind")]]
    next_cursor: str | None
    epoch: uuid.UUID
    offset: int
