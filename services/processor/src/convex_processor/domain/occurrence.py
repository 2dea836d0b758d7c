"""One occurrence of a condition, from wherever it came: a sent trigger, a rule on a series, another tool's alert."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from convex_common.domain.alert import Alert, Status
from convex_common.domain.rule import Condition, Rule
from convex_common.domain.severity import Severity, from_label
from convex_common.events import SourceAlert, Trigger

SOURCE_WINDOW_SECONDS = 300
SOURCE_ALERT_TYPE = "threshold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """What is known of it. `rule` is None for another tool's alert.

    What only a new alert needs (title, the rule's labels) is put together when it opens: most occurrences fold.
    """

    framework_id: uuid.UUID
    rule: Rule | None
    rule_name: str
    alert_type: str
    severity: Severity
    title: str | None
    labels: Mapping[str, str]
    context: Mapping[str, Any]
    value: float | None
    threshold: float | None
    suppression_seconds: int
    source: str | None = None
    starts_at: dt.datetime | None = None
    ends_at: dt.datetime | None = None

    @property
    def channel_ids(self) -> tuple[uuid.UUID, ...] | None:
        """The rule's own channels; None: every channel whose matchers fit."""
        return self.rule.channel_ids if self.rule else None

    def opens(self, workspace_id: uuid.UUID, alert_id: uuid.UUID, fingerprint: bytes, now: dt.datetime) -> Alert:
        """The alert of a new episode."""
        return Alert(
            workspace_id=workspace_id,
            id=alert_id,
            fingerprint=fingerprint,
            framework_id=self.framework_id,
            rule_id=self.rule.id if self.rule else None,
            rule_name=self.rule_name,
            alert_type=self.alert_type,
            status=Status.FIRING,
            severity=self.severity,
            title=self.title or (self.rule.title if self.rule else self.rule_name),
            labels={**self.rule.labels, **self.labels} if self.rule else self.labels,
            context=self.context,
            current_value=self.value,
            threshold_value=self.threshold,
            occurrences=1,
            triggered_at=now,
            last_seen_at=now,
            suppression_seconds=self.suppression_seconds,
            source=self.source,
            source_starts_at=self.starts_at,
            source_ends_at=self.ends_at,
        )


def of_trigger(rule: Rule, trigger: Trigger) -> Occurrence:
    """A trigger that was sent in: what it does not say, its rule does."""
    threshold = trigger.threshold if trigger.threshold is not None else rule.threshold_value
    return Occurrence(
        framework_id=rule.framework_id,
        rule=rule,
        rule_name=rule.name,
        alert_type=trigger.alert_type or rule.alert_type.value,
        severity=Severity(trigger.severity) if trigger.severity else rule.severity,
        title=None if trigger.threshold is None else rule.titled(trigger.threshold),
        labels=trigger.labels,
        context=trigger.context,
        value=trigger.value,
        threshold=threshold,
        suppression_seconds=rule.suppression_seconds,
    )


def shown_value(rule: Rule, value: float, compared: float | None) -> float:
    """What an alert shows as its value: the window's aggregate where the rule has one, else the value itself.

    A change in percent is no value of the metric: it goes into the context.
    """
    aggregated = rule.window_seconds is not None and rule.condition is not Condition.CHANGES_BY
    return compared if aggregated and compared is not None else value


def of_series(
    rule: Rule,
    labels: Mapping[str, str],
    value: float,
    compared: float | None,
    evidence: Mapping[str, Any] | None = None,
) -> Occurrence:
    """A rule's condition on a series; `compared` is what was held against the limit, `evidence` what else is known."""
    context: dict[str, Any] = {"metric": rule.metric, **(evidence or {})}
    if rule.condition is Condition.CHANGES_BY and compared is not None:
        context |= {"change_percentage": compared, "change_percentage_limit": rule.change_percentage}
    return Occurrence(
        framework_id=rule.framework_id,
        rule=rule,
        rule_name=rule.name,
        alert_type=rule.alert_type.value,
        severity=rule.severity,
        title=None,
        labels=labels,
        context=context,
        value=shown_value(rule, value, compared),
        threshold=rule.threshold_value,
        suppression_seconds=rule.suppression_seconds,
    )


def of_source(alert: SourceAlert) -> Occurrence:
    """Another tool's alert: the name and severity from its labels, the title from its annotations."""
    name = alert.labels.get("alertname") or alert.source
    return Occurrence(
        framework_id=alert.framework_id,
        rule=None,
        rule_name=name,
        alert_type=SOURCE_ALERT_TYPE,
        severity=from_label(alert.labels.get("severity")),
        title=alert.annotations.get("summary") or alert.annotations.get("title"),
        labels=alert.labels,
        context={"annotations": alert.annotations, "generator_url": alert.generator_url},
        value=None,
        threshold=None,
        suppression_seconds=SOURCE_WINDOW_SECONDS,
        source=alert.source,
        starts_at=alert.starts_at,
        ends_at=alert.ends_at,
    )
