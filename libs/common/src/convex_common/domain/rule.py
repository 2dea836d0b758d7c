"""Rules: what decides on observations."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from convex_common.domain.bar import Bar, Raised, bar
from convex_common.domain.severity import Severity


class AlertType(StrEnum):
    """The kind of rule."""

    THRESHOLD = "threshold"
    ANOMALY = "anomaly"
    PERFORMANCE = "performance"
    MILESTONE = "milestone"
    ABSENCE = "absence"
    FORECAST = "forecast"


# Types whose rules are decided by their condition alone.
EVALUATED = frozenset({AlertType.THRESHOLD, AlertType.PERFORMANCE, AlertType.MILESTONE})

# Types that are decided here at all.
DECIDED = EVALUATED | {AlertType.ANOMALY, AlertType.FORECAST}

SENSITIVITY = 0.5
"""Of an anomaly rule that names none: what a person wants to know, in short."""

HORIZON_SECONDS = 4 * 3600
PROBABILITY = 0.8
"""Of a forecast rule that names none."""


class Condition(StrEnum):
    """What is compared with the value."""

    ABOVE = "above"
    BELOW = "below"
    EQUALS = "equals"
    CHANGES_BY = "changes_by"


class Aggregation(StrEnum):
    """How the observations of a window become one value."""

    AVG = "avg"
    MIN = "min"
    MAX = "max"
    SUM = "sum"
    COUNT = "count"
    LAST = "last"


UNUSUAL = {
    Condition.ABOVE: "unusually high",
    Condition.BELOW: "unusually low",
    Condition.EQUALS: "unusual",
    Condition.CHANGES_BY: "unusual",
}
"""What an anomaly rule says of a value, by its condition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. Durations in seconds; `channel_ids` None means every enabled channel whose matchers fit.

    `sensitivity` belongs to anomaly rules: a value needs a score of 1 - sensitivity. Their condition says on which side
    of what is expected: above, below, or, with changes_by, on either. `raised` is what verdicts have added to that
    score, where it `heeds_verdicts`. `horizon_seconds` and `probability` belong to forecast rules.
    """

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
    labels: Mapping[str, str]
    channel_ids: tuple[uuid.UUID, ...] | None
    enabled: bool
    deleted: bool = False
    sensitivity: float | None = None
    horizon_seconds: int | None = None
    probability: float | None = None
    heeds_verdicts: bool = True
    raised: Raised | None = None

    @property
    def bar(self) -> Bar:
        """The score that a value needs, of an anomaly rule."""
        sensitivity = SENSITIVITY if self.sensitivity is None else self.sensitivity
        return bar(sensitivity, self.raised, self.severity, heeds_verdicts=self.heeds_verdicts)

    @property
    def limit(self) -> float | None:
        """What the compared value is held against: the threshold, or the percentage of changes_by."""
        return self.change_percentage if self.condition is Condition.CHANGES_BY else self.threshold_value

    @property
    def title(self) -> str:
        """What an alert of this rule is called."""
        return self.titled(self.limit)

    def titled(self, limit: float | None) -> str:
        """The same with another limit than the rule's."""
        if self.alert_type is AlertType.ANOMALY:
            return f"{self.name}: {self.metric} is {UNUSUAL[self.condition]}"
        shown = "" if limit is None else f"{limit:g}"
        words = {
            Condition.ABOVE: f"above {shown}",
            Condition.BELOW: f"below {shown}",
            Condition.EQUALS: f"equal to {shown}",
            Condition.CHANGES_BY: f"changed by {shown} % or more",
        }
        return f"{self.name}: {self.metric} {words[self.condition]}"
