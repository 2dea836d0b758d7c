"""Patterns on the wire."""

from __future__ import annotations

import datetime as dt
import uuid
from enum import StrEnum
from typing import Any

from pydantic import Field

from convex_common.domain.rehearsal import Basis
from convex_common.domain.severity import Severity
from convex_gateway.pagination import Page
from convex_gateway.shapes.body import Answer


class PatternKind(StrEnum):
    """What it is that repeats."""

    SEASONAL = "seasonal"
    CYCLICAL = "cyclical"
    ESCALATING = "escalating"
    CORRELATED = "correlated"
    TRIGGERED_BY = "triggered_by"
    NOISY = "noisy"


class PatternStatus(StrEnum):
    """Open until somebody decides, or until it is no longer found."""

    OPEN = "open"
    APPLIED = "applied"
    DISMISSED = "dismissed"
    ENDED = "ended"


class FieldChange(Answer):
    """A field of the rule: what it is when the pattern is found, and what is proposed."""

    present: str | bool | int | float | None = Field(alias="from")
    proposed: str | bool | int | float | None = Field(alias="to")


class ReplayOutcome(Answer):
    """What a setting makes of the alerts on record."""

    fired: int = Field(description="Times that the rule fired")
    alerts: int = Field(description="Alerts that these made: what comes back within the suppression window is one")
    notified: int = Field(description="Times that people were told")
    acknowledged: int = Field(description="Of what fired: somebody acknowledged it, or resolved it by hand")
    useful: int = Field(description="Of what fired: people call it useful")
    false_alarms: int = Field(description="Of what fired: people call it a false alarm")
    severity: Severity


class Expected(Answer):
    """The same alerts with the rule as it is, and as proposed."""

    before: ReplayOutcome
    after: ReplayOutcome


class Recommendation(Answer):
    """What to do about it."""

    action: str
    change: dict[str, FieldChange] = Field(description="Of the rule; empty where there is nothing to be applied")
    expected: Expected | None = Field(description="When it was found; `preview` counts anew")


class Pattern(Answer):
    """What the alert history repeats. Of a pair `lead` is the other rule: of triggered_by the one that is first."""

    id: uuid.UUID
    kind: PatternKind
    status: PatternStatus
    framework_id: uuid.UUID
    rule_id: uuid.UUID | None = Field(description="null: another tool's alerts of this name")
    rule_name: str
    lead_framework_id: uuid.UUID | None
    lead_rule_id: uuid.UUID | None
    lead_rule_name: str | None
    confidence: int = Field(description="0 to 100")
    occurrences: int
    evidence: dict[str, Any] = Field(description="Counts, times and histograms, by kind: docs/patterns.md")
    recommendation: Recommendation
    first_found_at: dt.datetime
    last_found_at: dt.datetime
    ended_at: dt.datetime | None
    decided_by: str | None
    decided_at: dt.datetime | None
    applied: dict[str, FieldChange] | None = Field(description="What was changed of the rule")


class PatternPage(Page[Pattern]):
    """Patterns, those first found last first."""


class OnRecord(Expected):
    """The alerts on record since then."""

    since: dt.datetime


class PatternPreview(Expected):
    """What the proposed change would have made of the past."""

    since: dt.datetime
    change: dict[str, FieldChange]
    basis: Basis = Field(
        description="observations: both rules were decided anew on the observations that are kept since then. "
        "alerts: the alerts on record were gone through"
    )
    why: str | None = Field(default=None, description="Why it goes by the alerts; null where it goes by observations")
    series: int = Field(default=0, description="Series that were decided anew, those observed last")
    more: bool = Field(default=False, description="There are more series than were decided anew")
    on_record: OnRecord = Field(description="The alerts of the last eight weeks, gone through with both")
