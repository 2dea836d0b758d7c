"""Rules on the wire, and what must hold between their fields."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated

from pydantic import Field, StrictInt, WithJsonSchema

from convex_common.domain.rule import EVALUATED, Aggregation, AlertType, Condition
from convex_common.domain.severity import Severity
from convex_gateway.pagination import Page
from convex_gateway.problems import FieldError
from convex_gateway.shapes.body import WHOLE, Answer, Body, Labels, Name, Number, Switch, patch

DAY = 86_400
WEEK = 604_800


AvailableType = Annotated[AlertType, WithJsonSchema({"type": "string", "enum": sorted(EVALUATED)})]
"""A type of alert, of which only those that are decided here can be had."""


class RuleDraft(Body):
    """A rule to be made."""

    framework_id: uuid.UUID
    name: Name
    alert_type: AvailableType = Field(
        default=AlertType.THRESHOLD, description="anomaly, absence and forecast are not available yet"
    )
    metric: Name
    condition: Condition
    threshold_value: Number | None = Field(default=None, description="Needed by above, below and equals")
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
    suppression_seconds: int
    severity: Severity
    labels: dict[str, str]
    channel_ids: list[uuid.UUID] | None
    enabled: bool
    created_at: dt.datetime
    updated_at: dt.datetime


class RulePage(Page[Rule]):
    """Rules, the oldest first."""


def faults(rule: RuleDraft) -> list[FieldError]:
    """What does not hold between the fields of a whole rule."""
    found = []
    if rule.alert_type not in EVALUATED:
        found.append(FieldError(field="alert_type", message=f"{rule.alert_type.value} is not available yet"))
    if rule.condition is Condition.CHANGES_BY:
        if rule.change_percentage is None or rule.change_percentage <= 0:
            found.append(FieldError(field="change_percentage", message="must be above 0 with condition changes_by"))
    elif rule.threshold_value is None:
        found.append(FieldError(field="threshold_value", message=f"is needed by condition {rule.condition.value}"))
    if rule.aggregation is not None and rule.window_seconds is None:
        found.append(FieldError(field="aggregation", message="needs window_seconds"))
    if not found and (message := _clear_fault(rule)):
        found.append(FieldError(field="clear_value", message=message))
    return found


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
    """The values to store: a window without an aggregation averages, an empty list of channels is none."""
    values: dict[str, object] = rule.model_dump(mode="python")
    for name in ("alert_type", "condition", "severity", "aggregation"):
        values[name] = None if values[name] is None else str(values[name])
    if rule.window_seconds is not None and rule.aggregation is None:
        values["aggregation"] = Aggregation.AVG.value
    values["channel_ids"] = list(dict.fromkeys(rule.channel_ids)) if rule.channel_ids else None
    return values
