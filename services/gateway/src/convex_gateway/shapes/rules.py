"""Rules on the wire, and what must hold between their fields."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated, Final

from pydantic import Field, StrictInt, WithJsonSchema

from convex_common.domain.rule import (
    DECIDED,
    HORIZON_SECONDS,
    PROBABILITY,
    SENSITIVITY,
    Aggregation,
    AlertType,
    Condition,
)
from convex_common.domain.severity import Severity
from convex_gateway.pagination import Page
from convex_gateway.problems import FieldError
from convex_gateway.shapes.body import WHOLE, Answer, Body, Labels, Name, Number, Switch, patch

DAY = 86_400
WEEK = 604_800


AvailableType = Annotated[AlertType, WithJsonSchema({"type": "string", "enum": sorted(DECIDED)})]
"""A type of alert, of which only those that are decided here can be had."""


NOT_DECIDED: Final = (
    "absence is not available yet, nor can it be tried: a rule is decided when a value comes, and what is absent does "
    "not come. Let who expects the value say so, such as absent() in Prometheus, by a trigger or as an alert"
)


class RuleDraft(Body):
    """A rule to be made."""

    framework_id: uuid.UUID
    name: Name
    alert_type: AvailableType = Field(
        default=AlertType.THRESHOLD,
        description="anomaly: what is unusual for the series, whose rhythm is learnt. forecast: the limit will be "
        "passed within the horizon. absence is not available yet",
    )
    metric: Name
    condition: Condition | None = Field(
        default=None,
        description="Needed by every type but anomaly, of which it says on which side of what is expected: above, "
        "below, or with changes_by (as if left out) on either. A forecast is of above or below",
    )
    threshold_value: Number | None = Field(
        default=None,
        description="Needed by above, below and equals. Of an anomaly rule, with above or below: only values beyond it",
    )
    change_percentage: Number | None = Field(default=None, description="Needed by changes_by; above 0")
    window_seconds: Annotated[StrictInt, Field(ge=1, le=DAY), WHOLE] | None = Field(
        default=None, description="What the aggregation reaches back over; null compares single values"
    )
    aggregation: Aggregation | None = Field(default=None, description="avg where there is a window and nothing is said")
    for_seconds: Annotated[StrictInt, Field(ge=0, le=DAY), WHOLE] = Field(
        default=0, description="How long the condition must hold before it triggers"
    )
    clear_value: Number | None = Field(
        default=None, description="The value at which it clears, on the harmless side of the limit; null: the limit"
    )
    sensitivity: Annotated[Number, Field(gt=0, lt=1)] | None = Field(
        default=None, description="Of anomaly rules: the higher, the more is told; 0.5 if absent"
    )
    horizon_seconds: Annotated[StrictInt, Field(ge=60, le=WEEK), WHOLE] | None = Field(
        default=None, description="Of forecast rules: how far ahead the breach is looked for; 4 hours if absent"
    )
    probability: Annotated[Number, Field(ge=0.5, lt=1)] | None = Field(
        default=None, description="Of forecast rules: how probable the breach has to be; 0.8 if absent"
    )
    heeds_verdicts: Switch | None = Field(
        default=None,
        description="Of anomaly rules: false alarms may raise the score that a value needs, within limits and never of "
        "a critical rule; true if absent",
    )
    suppression_seconds: Annotated[StrictInt, Field(ge=0, le=WEEK), WHOLE] = 300
    severity: Severity = Severity.WARNING
    labels: Labels = Field(default_factory=dict)
    channel_ids: Annotated[list[uuid.UUID], Field(max_length=100)] | None = Field(
        default=None, description="null or empty: every enabled channel whose matchers fit"
    )
    enabled: Switch = True


@patch
class RulePatch(RuleDraft):
    """What to change; what is left out stays. The rule must hold together afterwards; its framework stays."""


class RaisedBar(Answer):
    """What verdicts have made of an anomaly rule's bar, the score that a value needs."""

    by: float = Field(description="What is added to 1 - sensitivity")
    false_alarms: int
    judged: int = Field(description="Alerts of eight weeks that people have judged")
    moved_at: dt.datetime


class Rule(Answer):
    """What decides on observations."""

    id: uuid.UUID
    framework_id: uuid.UUID
    name: str
    alert_type: AlertType
    metric: str
    condition: Condition
    threshold_value: float | None
    change_percentage: float | None
    window_seconds: int | None
    aggregation: Aggregation | None
    for_seconds: int
    clear_value: float | None
    sensitivity: float | None = Field(description="Of anomaly rules; null of all others")
    horizon_seconds: int | None = Field(description="Of forecast rules; null of all others")
    probability: float | None = Field(description="Of forecast rules; null of all others")
    heeds_verdicts: bool | None = Field(description="Of anomaly rules; null is true there, and of all others nothing")
    raised: RaisedBar | None = Field(description="null: the bar is where the sensitivity puts it")
    suppression_seconds: int
    severity: Severity
    labels: dict[str, str]
    channel_ids: list[uuid.UUID] | None
    enabled: bool
    created_at: dt.datetime
    updated_at: dt.datetime
    version: int = Field(
        description="Give it as If-Match with a change; another one after every change, and not one after the other"
    )


class RulePage(Page[Rule]):
    """Rules, the oldest first."""


def faults(rule: RuleDraft) -> list[FieldError]:
    """What does not hold between the fields of a whole rule."""
    if rule.alert_type not in DECIDED:
        return [FieldError(field="alert_type", message=NOT_DECIDED)]
    found = [
        FieldError(field=name, message=f"has no meaning with alert_type {rule.alert_type.value}")
        for name in sorted(meaningless(rule.alert_type))
        if getattr(rule, name) is not None
    ]
    if rule.alert_type is AlertType.FORECAST and rule.for_seconds:
        found.append(FieldError(field="for_seconds", message="has no meaning with alert_type forecast"))
    found += _limit_faults(rule)
    if rule.aggregation is not None and rule.window_seconds is None:
        found.append(FieldError(field="aggregation", message="needs window_seconds"))
    if not found and (message := _clear_fault(rule)):
        found.append(FieldError(field="clear_value", message=message))
    return found


OF_TYPE: Final = {
    AlertType.ANOMALY: frozenset({"sensitivity", "heeds_verdicts"}),
    AlertType.FORECAST: frozenset({"horizon_seconds", "probability"}),
}
"""What only rules of one type say."""

OF_PLAIN: Final = frozenset({"window_seconds", "aggregation", "clear_value", "change_percentage"})
"""What rules that learn do not say: they look at single values, and know themselves when it is over."""


def meaningless(alert_type: AlertType) -> frozenset[str]:
    """The fields that say nothing in a rule of a type."""
    special = frozenset[str]().union(*OF_TYPE.values())
    if alert_type in OF_TYPE:
        return (special | OF_PLAIN) - OF_TYPE[alert_type]
    return special


def _limit_faults(rule: RuleDraft) -> list[FieldError]:
    """What is wrong with the condition and what it compares with."""
    if rule.alert_type is AlertType.ANOMALY:
        if rule.condition is Condition.EQUALS:
            return [FieldError(field="condition", message="must not be equals with alert_type anomaly")]
        if rule.threshold_value is not None and rule.condition not in (Condition.ABOVE, Condition.BELOW):
            return [FieldError(field="threshold_value", message="needs above or below with alert_type anomaly")]
        return []
    if rule.condition is None:
        return [FieldError(field="condition", message=f"is needed with alert_type {rule.alert_type.value}")]
    if rule.alert_type is AlertType.FORECAST and rule.condition not in (Condition.ABOVE, Condition.BELOW):
        return [FieldError(field="condition", message="must be above or below with alert_type forecast")]
    if rule.condition is Condition.CHANGES_BY:
        if rule.change_percentage is None or rule.change_percentage <= 0:
            return [FieldError(field="change_percentage", message="must be above 0 with condition changes_by")]
    elif rule.threshold_value is None:
        return [FieldError(field="threshold_value", message=f"is needed by condition {rule.condition.value}")]
    return []


def _clear_fault(rule: RuleDraft) -> str | None:
    clear, threshold, change = rule.clear_value, rule.threshold_value, rule.change_percentage
    if clear is None:
        return None
    match rule.condition:
        case Condition.ABOVE if threshold is not None and clear > threshold:
            return f"must be {threshold:g} or less with condition above"
        case Condition.BELOW if threshold is not None and clear < threshold:
            return f"must be {threshold:g} or more with condition below"
        case Condition.CHANGES_BY if change is not None and not 0 <= clear <= change:
            return f"must be from 0 to {change:g} with condition changes_by"
        case Condition.EQUALS:
            return "has no meaning with condition equals"
    return None


def settled(rule: RuleDraft) -> dict[str, object]:
    """The values to store: a window without an aggregation averages, an empty list of channels is none.

    What a rule that learns does not say is what is usual for its type.
    """
    values: dict[str, object] = rule.model_dump(mode="python")
    for name in ("alert_type", "condition", "severity", "aggregation"):
        values[name] = None if values[name] is None else str(values[name])
    if rule.window_seconds is not None and rule.aggregation is None:
        values["aggregation"] = Aggregation.AVG.value
    if rule.alert_type is AlertType.ANOMALY:
        values["condition"] = values["condition"] or Condition.CHANGES_BY.value
        values["sensitivity"] = SENSITIVITY if rule.sensitivity is None else rule.sensitivity
        values["heeds_verdicts"] = rule.heeds_verdicts is not False
    if rule.alert_type is AlertType.FORECAST:
        values["horizon_seconds"] = rule.horizon_seconds or HORIZON_SECONDS
        values["probability"] = PROBABILITY if rule.probability is None else rule.probability
    values["channel_ids"] = list(dict.fromkeys(rule.channel_ids)) if rule.channel_ids else None
    return values
