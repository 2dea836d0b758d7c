"""Alerts on the wire. Their answers are written by `domain.alert.as_wire`, as on the live feed; these describe them."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from convex_common.domain.alert import Event, Reason, Status
from convex_common.domain.severity import Severity
from convex_common.domain.transitions import snooze_fault
from convex_common.domain.verdict import Verdict
from convex_gateway.problems import FieldError
from convex_gateway.shapes.body import Answer, Body, Moment, UserId, Words
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
    snoozed_by: str | None = Field(default=None, description="Who wants nobody to be told of it for a while")
    snoozed_until: dt.datetime | None = Field(default=None, description="When people are told again, if it is open")
    assigned_to: str | None = Field(default=None, description="The member who is to look after it")
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


Until = Annotated[Moment | None, Field(description="A time within 30 days; null ends the snooze")]
AssigneeId = Annotated[UserId | None, Field(description="A member of the workspace; null for nobody in particular")]


class Snooze(Body):
    """For how long nobody is to be told of it."""

    until: Until


class Assignment(Body):
    """Who is to look after it."""

    user_id: AssigneeId


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
    action: Literal["acknowledge", "resolve", "snooze", "assign"]
    notes: Words | None = Field(default=None, description="With `resolve`: how they were resolved")
    until: Moment | None = Field(default=None, description="With `snooze`: a time within 30 days; null ends the snooze")
    user_id: UserId | None = Field(default=None, description="With `assign`: a member; null for nobody in particular")


_FIELDS = {"notes": ("resolve", False), "until": ("snooze", True), "user_id": ("assign", True)}
"""Which action a field goes with, and whether that needs it."""


def snooze_faults(until: dt.datetime | None, now: dt.datetime) -> list[FieldError]:
    """What is wrong with the end of a snooze."""
    fault = None if until is None else snooze_fault(until, now)
    return [] if fault is None else [FieldError(field="until", message=fault)]


def faults(asked: BulkAction, now: dt.datetime) -> list[FieldError]:
    """What of it does not hold together."""
    seen: set[uuid.UUID] = set()
    wrong: list[FieldError] = []
    for place, alert_id in enumerate(asked.ids):
        if alert_id in seen:
            wrong.append(FieldError(field=f"ids[{place}]", message="is there twice"))
        seen.add(alert_id)
    for name, (action, needed) in _FIELDS.items():
        if asked.action != action and getattr(asked, name) is not None:
            wrong.append(FieldError(field=name, message=f"goes with the action {action}"))
        if asked.action == action and needed and name not in asked.model_fields_set:
            wrong.append(FieldError(field=name, message=f"is missing; the action {action} needs it, or null"))
    return wrong + snooze_faults(asked.until, now)


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
