"""What is sent: values, triggers, and the fields of what can be made or changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypedDict

from convex_alerts import calls


@dataclass(frozen=True)
class Observation:
    """One value of one metric of a framework; `at` is the service's time of receipt when it is left out."""

    framework_id: str
    metric: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    at: datetime | None = None

    def body(self) -> dict[str, Any]:
        """As it is sent."""
        body: dict[str, Any] = {"framework_id": self.framework_id, "metric": self.metric, "value": self.value}
        if self.labels:
            body["labels"] = dict(self.labels)
        if self.at:
            body["at"] = calls.moment(self.at)
        return body


@dataclass(frozen=True)
class Trigger:
    """The sender's word that a rule's condition holds, or (`status="resolved"`) that it does no more."""

    alert_rule_id: str
    current_value: float
    threshold_value: float | None = None
    alert_type: str | None = None
    severity: str | None = None
    status: str | None = None
    framework_id: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)
    occurred_at: datetime | None = None

    def body(self) -> dict[str, Any]:
        """As it is sent."""
        told = {name: value for name, value in vars(self).items() if value not in (None, {})}
        if self.occurred_at:
            told["occurred_at"] = calls.moment(self.occurred_at)
        return told


class RuleFields(TypedDict, total=False):
    """A rule's fields. New ones need `framework_id`, `name`, `metric`, `condition` and what it compares with.

    One of the type anomaly needs neither of the last two.
    """

    framework_id: str
    name: str
    alert_type: str
    metric: str
    condition: str
    threshold_value: float | None
    change_percentage: float | None
    window_seconds: int | None
    aggregation: str | None
    for_seconds: int
    clear_value: float | None
    sensitivity: float | None
    horizon_seconds: int | None
    probability: float | None
    heeds_verdicts: bool | None
    suppression_seconds: int
    severity: str
    labels: Mapping[str, str]
    channel_ids: Sequence[str] | None
    enabled: bool


class FrameworkFields(TypedDict, total=False):
    """A framework's fields. New ones need a `name`."""

    name: str
    description: str
    labels: Mapping[str, str]


class ChannelFields(TypedDict, total=False):
    """A channel's fields. New ones need `kind`, `name` and `config`."""

    kind: str
    name: str
    config: Mapping[str, Any]
    min_severity: str
    matchers: Sequence[Mapping[str, str]]
    enabled: bool
