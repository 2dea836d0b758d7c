"""A workspace's rules and channels as the domain wants them, with the version they were read at."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from convex_common.domain.bar import Raised
from convex_common.domain.channel import Channel, ChannelKind, Matcher, Operator
from convex_common.domain.rule import Aggregation, AlertType, Condition, Rule
from convex_common.domain.severity import Severity
from convex_common.domain.silence import Silence
from convex_common.postgres.database import Connection

RULES = """SELECT id, framework_id, name, alert_type, metric, condition, threshold_value, change_percentage,
    window_seconds, aggregation, for_seconds, clear_value, suppression_seconds, severity, labels, channel_ids, enabled,
    deleted_at IS NOT NULL, sensitivity, horizon_seconds, probability, heeds_verdicts, raised FROM rules
    WHERE deleted_at IS NULL OR deleted_at > now() - interval '30 days' ORDER BY id"""
MAIL_SERVER = "mail server"
"""The target of every e-mail, since an installation has one server for all of them; it is nobody's host name."""
CHANNELS = "SELECT id, kind, config, min_severity, matchers, enabled FROM channels WHERE deleted_at IS NULL ORDER BY id"

SILENCES = """SELECT id, matchers, starts_at, ends_at, rrule, timezone, expired_at FROM silences
    WHERE coalesce(over_at, ends_at) > now() ORDER BY id"""


@dataclass(frozen=True)
class Configuration:
    """Rules (those deleted of late too, for what was accepted before), channels and silences of one workspace."""

    version: int
    rules: Mapping[uuid.UUID, Rule]
    by_metric: Mapping[tuple[uuid.UUID, str], tuple[Rule, ...]]
    channels: tuple[Channel, ...]
    source_names: Mapping[uuid.UUID, str]
    silences: Mapping[uuid.UUID, Silence] = field(default_factory=dict)

    @cached_property
    def learning(self) -> frozenset[tuple[uuid.UUID, str]]:
        """The metrics whose series anomaly rules look at."""
        return frozenset(
            metric for metric, rules in self.by_metric.items() if any(r.alert_type is AlertType.ANOMALY for r in rules)
        )


def load(connection: Connection) -> Configuration:
    """Read it inside a workspace's transaction. The version comes first: what changes meanwhile is only read again."""
    version = connection.execute("SELECT config_version FROM workspaces").fetchone()
    rules = [_rule(row) for row in connection.execute(RULES).fetchall()]
    by_metric: dict[tuple[uuid.UUID, str], list[Rule]] = {}
    for rule in rules:
        if rule.enabled and not rule.deleted:
            by_metric.setdefault((rule.framework_id, rule.metric), []).append(rule)
    sources = connection.execute("SELECT id, name FROM frameworks WHERE source IS NOT NULL").fetchall()
    return Configuration(
        version=version[0] if version else 0,
        rules={rule.id: rule for rule in rules},
        by_metric={key: tuple(found) for key, found in by_metric.items()},
        channels=load_channels(connection),
        source_names=dict(sources),
        silences={one.id: one for one in load_silences(connection)},
    )


def load_channels(connection: Connection) -> tuple[Channel, ...]:
    """The workspace's channels that are not deleted."""
    return tuple(_channel(row) for row in connection.execute(CHANNELS).fetchall())


def load_silences(connection: Connection) -> tuple[Silence, ...]:
    """The workspace's silences that are not over."""
    return tuple(silence_of(*row) for row in connection.execute(SILENCES).fetchall())


def silence_of(
    silence_id: uuid.UUID,
    matchers: Sequence[Mapping[str, str]],
    starts_at: dt.datetime,
    ends_at: dt.datetime,
    rrule: str | None,
    timezone: str | None,
    expired_at: dt.datetime | None,
) -> Silence:
    """The silence of its columns."""
    return Silence(
        id=silence_id,
        matchers=matchers_of(matchers),
        starts_at=starts_at.astimezone(dt.UTC),
        ends_at=ends_at.astimezone(dt.UTC),
        rrule=rrule,
        timezone=timezone,
        expired_at=None if expired_at is None else expired_at.astimezone(dt.UTC),
    )


def matchers_of(stored: Sequence[Mapping[str, str]]) -> tuple[Matcher, ...]:
    """Matchers as they are stored."""
    return tuple(Matcher(item["name"], Operator(item["op"]), item["value"]) for item in stored)


def target_of(channel_id: uuid.UUID, kind: str, config: Mapping[str, Any]) -> str:
    """What attempts at once are capped by: the mail server, the host of the channel's address, or the channel itself.

    Where the address is secret the configuration has its `host`.
    """
    if kind == ChannelKind.EMAIL:
        return MAIL_SERVER
    url, host = config.get("url"), config.get("host")
    if isinstance(url, str):
        host = urlsplit(url).hostname
    return str(host or channel_id)


def _rule(row: tuple[Any, ...]) -> Rule:
    return Rule(
        id=row[0],
        framework_id=row[1],
        name=row[2],
        alert_type=AlertType(row[3]),
        metric=row[4],
        condition=Condition(row[5]),
        threshold_value=row[6],
        change_percentage=row[7],
        window_seconds=row[8],
        aggregation=Aggregation(row[9]) if row[9] else None,
        for_seconds=row[10],
        clear_value=row[11],
        suppression_seconds=row[12],
        severity=Severity(row[13]),
        labels=row[14],
        channel_ids=None if row[15] is None else tuple(row[15]),
        enabled=row[16],
        deleted=row[17],
        sensitivity=row[18],
        horizon_seconds=row[19],
        probability=row[20],
        heeds_verdicts=row[21] is not False,
        raised=Raised.of(row[22]),
    )


def _channel(row: tuple[Any, ...]) -> Channel:
    return Channel(
        id=row[0],
        kind=ChannelKind(row[1]),
        min_severity=Severity(row[3]),
        matchers=matchers_of(row[4]),
        enabled=row[5],
        target=target_of(row[0], row[1], row[2]),
    )
