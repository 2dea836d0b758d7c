"""Channels: configured destinations, and which of them an alert goes to."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import re2

from convex_common.domain.alert import Alert
from convex_common.domain.severity import Severity


class ChannelKind(StrEnum):
    """How a destination is reached."""

    EMAIL = "email"
    SLACK = "slack"
    WEBHOOK = "webhook"
    IN_APP = "in_app"
    APPRISE = "apprise"


class Operator(StrEnum):
    """Alertmanager's matchers; regular expressions are anchored at both ends and of RE2's syntax."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "=~"
    NOT_MATCHES = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """A test on one label; a missing label counts as empty."""

    name: str
    op: Operator
    value: str

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels pass the test."""
        actual = labels.get(self.name, "")
        if self.op is Operator.EQUAL:
            return actual == self.value
        if self.op is Operator.NOT_EQUAL:
            return actual != self.value
        matches = re2.fullmatch(self.value, actual) is not None
        return matches if self.op is Operator.MATCHES else not matches


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """What routing needs of a channel. `target` is what attempts at once are capped by."""

    id: uuid.UUID
    kind: ChannelKind
    min_severity: Severity
    matchers: tuple[Matcher, ...]
    enabled: bool
    target: str


def matched_labels(alert: Alert) -> dict[str, str]:
    """What matchers see: the alert's labels, and its severity, type, framework and rule under reserved names."""
    return {
        **alert.labels,
        "severity": alert.severity.value,
        "alert_type": alert.alert_type,
        "framework_id": str(alert.framework_id),
        "rule_id": str(alert.rule_id or ""),
        "rule_name": alert.rule_name,
    }


def route(alert: Alert, channels: Iterable[Channel], chosen: tuple[uuid.UUID, ...] | None) -> tuple[Channel, ...]:
    """The channels that a firing of this alert is sent to.

    `chosen` are the rule's own channels; without any, every channel whose matchers fit. Both only while enabled and
    from the channel's minimum severity on.
    """
    labels = matched_labels(alert)
    return tuple(
        channel
        for channel in channels
        if channel.enabled
        and not channel.min_severity.exceeds(alert.severity)
        and (channel.id in chosen if chosen is not None else all(matcher.fits(labels) for matcher in channel.matchers))
    )
