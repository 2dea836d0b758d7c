"""The alert: the open episode that triggers with the same fingerprint fold into."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from convex_common.domain.severity import Severity


class Status(StrEnum):
    """firing → acknowledged → resolved."""

    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Resolution(StrEnum):
    """Who or what ended the episode."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"
    EXPIRED = "expired"


class Event(StrEnum):
    """What a row of the alert log says happened; the live feed's `event`."""

    CREATED = "created"
    UPDATED = "updated"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    SNOOZED = "snoozed"
    ASSIGNED = "assigned"
    COMMENTED = "commented"
    FLAPPING = "flapping"
    SUPPRESSED = "suppressed"
    ESCALATED = "escalated"
    JUDGED = "judged"


class Reason(StrEnum):
    """Why something was notified or withheld; on the alert log, for a person to read."""

    FIRST_TRIGGER = "first_trigger"
    SEVERITY_RAISED = "severity_raised"
    STILL_FIRING = "still_firing"
    WINDOW_ENDED = "window_ended"
    CONDITION_CLEARED = "condition_cleared"
    HANDED_OVER = "handed_over"
    SOURCE_RESOLVED = "source_resolved"
    SOURCE_EXPIRED = "source_expired"
    SOURCE_CHANGED = "source_changed"
    RESOLVED_BY_PERSON = "resolved_by_person"
    ACKNOWLEDGED_BY_PERSON = "acknowledged_by_person"
    COMMENTED_BY_PERSON = "commented_by_person"
    DUPLICATE = "duplicate"
    ACKNOWLEDGED = "acknowledged"
    CLOSED_BY_PERSON = "closed_by_person"
    NOT_ANNOUNCED = "not_announced"
    RULE_DELETED = "rule_deleted"
    RULE_DISABLED = "rule_disabled"
    RULE_CHANGED = "rule_changed"
    FRAMEWORK_DELETED = "framework_deleted"
    SILENCED = "silenced"
    SILENCE_ENDED = "silence_ended"
    JUDGED_USEFUL = "judged_useful"
    JUDGED_FALSE_ALARM = "judged_false_alarm"
    SNOOZED_BY_PERSON = "snoozed_by_person"
    UNSNOOZED_BY_PERSON = "unsnoozed_by_person"
    SNOOZED = "snoozed"
    SNOOZE_ENDED = "snooze_ended"
    ASSIGNED_BY_PERSON = "assigned_by_person"
    UNASSIGNED_BY_PERSON = "unassigned_by_person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One episode, as stored. Times are UTC by the server's clock, values in the metric's unit."""

    workspace_id: uuid.UUID
    id: uuid.UUID
    fingerprint: bytes
    framework_id: uuid.UUID
    rule_id: uuid.UUID | None
    rule_name: str
    alert_type: str
    status: Status
    severity: Severity
    title: str
    labels: Mapping[str, str]
    context: Mapping[str, Any]
    current_value: float | None
    threshold_value: float | None
    occurrences: int
    triggered_at: dt.datetime
    last_seen_at: dt.datetime
    suppression_seconds: int
    acknowledged_by: str | None = None
    acknowledged_at: dt.datetime | None = None
    resolved_by: str | None = None
    resolved_at: dt.datetime | None = None
    resolution: Resolution | None = None
    resolution_notes: str | None = None
    cleared: bool = False
    last_notified_at: dt.datetime | None = None
    last_notified_severity: Severity | None = None
    announced: bool = False
    announced_channels: tuple[uuid.UUID, ...] = field(default=())
    notifications_sent: int = 0
    source: str | None = None
    source_starts_at: dt.datetime | None = None
    source_ends_at: dt.datetime | None = None
    silenced_by: uuid.UUID | None = None
    silenced_until: dt.datetime | None = None
    snoozed_by: str | None = None
    snoozed_until: dt.datetime | None = None
    assigned_to: str | None = None
    version: int = 1
    verdicts_useful: int = 0
    verdicts_false_alarm: int = 0

    @property
    def is_open(self) -> bool:
        """Firing or acknowledged."""
        return self.status is not Status.RESOLVED

    @property
    def is_snoozed(self) -> bool:
        """Nobody is told of it: until a timer, a person or the alert's own end takes the snooze away."""
        return self.snoozed_until is not None

    @property
    def window_ends_at(self) -> dt.datetime | None:
        """When the suppression window ends; None where nothing was ever notified."""
        if self.last_notified_at is None:
            return None
        return self.last_notified_at + dt.timedelta(seconds=self.suppression_seconds)

    def in_window(self, now: dt.datetime) -> bool:
        """Whether a trigger at `now` falls into the suppression window."""
        ends = self.window_ends_at
        return ends is not None and now < ends


_ENCODER = msgspec.json.Encoder()


def as_wire(alert: Alert) -> bytes:
    """The alert as in REST and on the live feed: JSON, in snake_case, times as RFC 3339 in UTC."""
    return _ENCODER.encode(
        {
            "id": alert.id,
            "fingerprint": alert.fingerprint.hex(),
            "status": alert.status,
            "severity": alert.severity,
            "alert_type": alert.alert_type,
            "rule_id": alert.rule_id,
            "rule_name": alert.rule_name,
            "framework_id": alert.framework_id,
            "title": alert.title,
            "current_value": alert.current_value,
            "threshold_value": alert.threshold_value,
            "labels": alert.labels,
            "context": alert.context,
            "occurrences": alert.occurrences,
            "triggered_at": alert.triggered_at,
            "last_seen_at": alert.last_seen_at,
            "acknowledged_by": alert.acknowledged_by,
            "acknowledged_at": alert.acknowledged_at,
            "resolved_by": alert.resolved_by,
            "resolved_at": alert.resolved_at,
            "resolution_notes": alert.resolution_notes,
            "silenced_by": alert.silenced_by,
            "silenced_until": alert.silenced_until,
            "snoozed_by": alert.snoozed_by,
            "snoozed_until": alert.snoozed_until,
            "assigned_to": alert.assigned_to,
            "verdicts": {"useful": alert.verdicts_useful, "false_alarm": alert.verdicts_false_alarm},
            "version": alert.version,
        }
    )
