"""A day of alerts in quarters of an hour, by framework. Pure: rows of counted facts in, rows to keep out."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from convex_common.domain.alert import Event, Reason

QUARTER: Final = dt.timedelta(minutes=15)
WITHHELD: Final = frozenset({Reason.DUPLICATE, Reason.ACKNOWLEDGED, Reason.SILENCED, Reason.CLOSED_BY_PERSON})
"""Why nobody was told of a trigger."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Alerts that opened, and what has become of them since: of `followed` it is known."""

    framework_id: uuid.UUID
    at: dt.datetime
    severity: str
    alert_type: str
    rule_id: str | None
    alerts: int
    followed: int
    answered: int
    ended: int
    judged: int
    false_alarms: int


@dataclass(frozen=True, slots=True)
class Responses:
    """How many were acknowledged or resolved, how long they took together, and how many within each bucket of
    durations."""

    framework_id: uuid.UUID
    at: dt.datetime
    response: str
    count: int
    milliseconds: int
    buckets: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Decisions:
    """What was decided on triggers: `changes` rows of the log that stand for `triggers` triggers."""

    framework_id: uuid.UUID
    at: dt.datetime
    event: str
    reason: str | None
    notified: bool
    changes: int
    triggers: int


@dataclass(frozen=True, slots=True)
class Settled:
    """Deliveries that became final."""

    framework_id: uuid.UUID
    at: dt.datetime
    channel_id: uuid.UUID
    status: str
    count: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What happened in some days, counted."""

    opened: Iterable[Opened]
    responses: Iterable[Responses]
    decisions: Iterable[Decisions]
    settled: Iterable[Settled]


@dataclass(slots=True, kw_only=True)
class Quarter:
    """The figures of a framework in a quarter of an hour: columns of `alert_quarters`."""

    framework_id: uuid.UUID
    at: dt.datetime
    alerts: int = 0
    by_severity: dict[str, int] = field(default_factory=dict)
    by_type: dict[str, int] = field(default_factory=dict)
    by_rule: dict[str, int] = field(default_factory=dict)
    folded: int = 0
    told: int = 0
    told_again: int = 0
    withheld: dict[str, int] = field(default_factory=dict)
    acknowledged: int = 0
    acknowledged_total: float = 0.0
    acknowledged_in: dict[str, int] = field(default_factory=dict)
    resolved: int = 0
    resolved_total: float = 0.0
    resolved_in: dict[str, int] = field(default_factory=dict)
    deliveries: dict[str, int] = field(default_factory=dict)
    followed: int = 0
    answered: int = 0
    ended: int = 0
    judged: int = 0
    false_alarms: int = 0


def quarters(facts: Facts) -> list[Quarter]:
    """One for each quarter and framework in which anything happened, in their order."""
    found: dict[tuple[dt.datetime, uuid.UUID], Quarter] = {}

    def of(fact: Opened | Responses | Decisions | Settled) -> Quarter:
        key = (fact.at, fact.framework_id)
        quarter = found.get(key)
        if quarter is None:
            quarter = found[key] = Quarter(framework_id=fact.framework_id, at=fact.at)
        return quarter

    for opened in facts.opened:
        _open(of(opened), opened)
    for responses in facts.responses:
        _respond(of(responses), responses)
    for decisions in facts.decisions:
        _decide(of(decisions), decisions)
    if not found:  # the log of these days is gone, and deliveries that wait for somebody are no reason to count anew
        return []
    for settled in facts.settled:
        _add(of(settled).deliveries, f"{settled.channel_id}/{settled.status}", settled.count)
    return [found[key] for key in sorted(found)]


def _open(quarter: Quarter, opened: Opened) -> None:
    quarter.alerts += opened.alerts
    quarter.followed += opened.followed
    quarter.answered += opened.answered
    quarter.ended += opened.ended
    quarter.judged += opened.judged
    quarter.false_alarms += opened.false_alarms
    _add(quarter.by_severity, opened.severity, opened.alerts)
    _add(quarter.by_type, opened.alert_type, opened.alerts)
    if opened.rule_id is not None:
        _add(quarter.by_rule, opened.rule_id, opened.alerts)


def _respond(quarter: Quarter, responses: Responses) -> None:
    seconds = responses.milliseconds / 1000
    if responses.response == Event.ACKNOWLEDGED:
        quarter.acknowledged = responses.count
        quarter.acknowledged_total = seconds
        quarter.acknowledged_in = dict(responses.buckets)
    else:
        quarter.resolved = responses.count
        quarter.resolved_total = seconds
        quarter.resolved_in = dict(responses.buckets)


def _decide(quarter: Quarter, decisions: Decisions) -> None:
    first = decisions.event == Event.CREATED
    if decisions.notified:
        quarter.told += decisions.changes
        if not first:
            quarter.told_again += decisions.changes
            quarter.folded += decisions.triggers
    elif decisions.reason in WITHHELD:
        _add(quarter.withheld, str(decisions.reason), decisions.triggers)
        if not first:
            quarter.folded += decisions.triggers


def _add(counts: dict[str, int], name: str, count: int) -> None:
    counts[name] = counts.get(name, 0) + count


def as_row(quarter: Quarter) -> dict[str, Any]:
    """As JSON for the database."""
    return {name: getattr(quarter, name) for name in Quarter.__dataclass_fields__}
