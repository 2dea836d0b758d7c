"""The product's decisions without a database: alerts, log, notices and timers in memory, changed as the store would."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from convex_common.alert_timers import with_snoozes
from convex_common.domain import transitions
from convex_common.domain.alert import Alert
from convex_common.domain.change import Changes, Entry, Notice, Timer
from convex_common.domain.channel import Channel, ChannelKind
from convex_common.domain.fingerprint import fingerprint, shard_of
from convex_common.domain.rule import AlertType, Condition, Rule
from convex_common.domain.severity import Severity
from convex_common.domain.silence import Silence, silence_key, silenceable_labels
from convex_common.events import Payload, SilenceDue, SourceAlert, Trigger, decode, encode
from convex_common.ids import floor
from convex_common.postgres.alert_store import FOLDED
from convex_common.postgres.configuration import Configuration
from convex_processor import decide
from convex_processor.claims import ClaimedEvent
from convex_processor.decide import NO_SERIES, Decoded
from convex_processor.domain.silencing import OpenAlert

WORKSPACE = uuid.UUID(int=1)
FRAMEWORK = uuid.UUID(int=2)
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def a_rule(**fields: object) -> Rule:
    """A threshold rule on `latency` above 100, unless told otherwise."""
    values: dict[str, object] = {
        "id": uuid.UUID(int=3), "framework_id": FRAMEWORK, "name": "slow", "alert_type": AlertType.THRESHOLD,
        "metric": "latency", "condition": Condition.ABOVE, "threshold_value": 100.0, "change_percentage": None,
        "window_seconds": None, "aggregation": None, "for_seconds": 0, "clear_value": None,
        "suppression_seconds": 300, "severity": Severity.WARNING, "labels": {}, "channel_ids": None, "enabled": True,
    }  # fmt: skip
    return Rule(**{**values, **fields})  # type: ignore[arg-type]  # a table of fields


def a_channel(number: int = 1, **fields: object) -> Channel:
    """An enabled channel for everything, unless told otherwise."""
    values: dict[str, object] = {
        "id": uuid.UUID(int=1000 + number), "kind": ChannelKind.WEBHOOK, "min_severity": Severity.INFO,
        "matchers": (), "enabled": True, "target": "hooks.example",
    }  # fmt: skip
    return Channel(**{**values, **fields})  # type: ignore[arg-type]  # a table of fields


def configured(rules: Sequence[Rule] = (), channels: Sequence[Channel] = ()) -> Configuration:
    """A configuration of these."""
    by_metric: dict[tuple[uuid.UUID, str], list[Rule]] = {}
    for rule in rules:
        by_metric.setdefault((rule.framework_id, rule.metric), []).append(rule)
    return Configuration(
        version=1,
        rules={rule.id: rule for rule in rules},
        by_metric={key: tuple(found) for key, found in by_metric.items()},
        channels=tuple(channels),
        source_names={},
    )


def an_event(payload: Payload, key: bytes, number: int) -> Decoded:
    """What a claim returns for a payload."""
    event_id = uuid.UUID(int=number)
    return Decoded(ClaimedEvent(event_id, WORKSPACE, shard_of(key), payload.kind, key, 0, b"", None), payload)


@dataclass
class World:
    """One workspace. `told` holds each notice with the second it was made in."""

    configuration: Configuration
    now: dt.datetime = START
    alerts: dict[uuid.UUID, Alert] = field(default_factory=dict)
    log: list[Entry] = field(default_factory=list)
    told: list[tuple[int, Notice]] = field(default_factory=list)
    timers: dict[tuple[str, str], Timer] = field(default_factory=dict)
    ids_made: int = 0

    @property
    def seconds(self) -> int:
        return int((self.now - START).total_seconds())

    def of(self, key: bytes) -> list[Alert]:
        """A fingerprint's alerts, the oldest first, as the store orders them."""
        return sorted((alert for alert in self.alerts.values() if alert.fingerprint == key), key=lambda alert: alert.id)

    def latest(self, key: bytes) -> Alert | None:
        """A fingerprint's latest alert."""
        found = self.of(key)
        return found[-1] if found else None

    def process(self, events: Sequence[Decoded], clock_skew: int = 0) -> None:
        """Decide one batch, by a processor whose own clock (which makes ids) is `clock_skew` seconds off."""
        keys = decide.fingerprints(events, NO_SERIES)
        latest = {key: alert for key in keys if (alert := self.latest(key)) is not None}

        def new_id() -> uuid.UUID:
            self.ids_made += 1
            ms = int((self.now.timestamp() + clock_skew) * 1000)
            return uuid.UUID(int=floor(ms).int + self.ids_made)

        known_open = [
            OpenAlert(alert.id, alert.fingerprint, silenceable_labels(alert), alert.silenced_by)
            for alert in self.alerts.values()
            if alert.is_open and decide.looks_at_silences(events)
        ]
        self._save(
            decide.decide(WORKSPACE, events, self.configuration, NO_SERIES, latest, new_id, self.now, known_open)
        )

    def silence(self, silence: Silence) -> None:
        """A person makes a silence, or ends one early."""
        over = silence.over_at <= self.now
        kept = {one.id: one for one in self.configuration.silences.values() if one.id != silence.id}
        silences = kept if over else {**kept, silence.id: silence}
        self.configuration = replace(self.configuration, silences=silences)
        due_at = self.now if over or silence.span(self.now) else silence.next_start(self.now)
        due, key = SilenceDue(silence_id=silence.id), silence_key(silence.id)
        timer = Timer(
            kind="silence", subject=str(silence.id), key=key, shard=shard_of(key), due_at=due_at, payload=encode(due)
        )
        self.timers[timer.kind, timer.subject] = timer

    def acknowledge(self, alert: Alert) -> None:
        """A person acknowledges; Conflict where it is impossible."""
        self._save(with_snoozes(transitions.acknowledge(alert, "ann", self.now), self.now))

    def resolve(self, alert: Alert) -> None:
        """A person resolves; Conflict where it is impossible."""
        resolved = transitions.resolve(alert, "ann", "mended", self.now, self.configuration.channels)
        self._save(with_snoozes(resolved, self.now))

    def snooze(self, alert: Alert, until: dt.datetime | None) -> None:
        """A person snoozes, or ends that; Conflict where it is impossible."""
        self._save(with_snoozes(transitions.snooze(alert, "ann", until, self.now), self.now))

    def take_due_timers(self) -> list[tuple[bytes, Payload]]:
        """The poller's part: due timers become events of their keys, the earliest first."""
        due = sorted(
            (timer for timer in self.timers.values() if timer.due_at is not None and timer.due_at <= self.now),
            key=lambda timer: (timer.due_at, timer.kind, timer.subject),
        )
        for timer in due:
            del self.timers[timer.kind, timer.subject]
        return [(timer.key, decode(f"timer:{timer.kind}", timer.payload)) for timer in due]

    def _save(self, changes: Changes) -> None:
        for alert in changes.folded:
            self._save_folded(alert)
        for alert in changes.updated:
            assert alert.version > self.alerts[alert.id].version
            self.alerts[alert.id] = alert
        for alert in changes.created:
            assert alert.id not in self.alerts
            self.alerts[alert.id] = alert
        self.log.extend(changes.entries)
        self.told.extend((self.seconds, notice) for notice in changes.notices)
        for timer in changes.timers:
            if timer.due_at is None:
                self.timers.pop((timer.kind, timer.subject), None)
            else:
                self.timers[timer.kind, timer.subject] = timer
        for key in {alert.fingerprint for alert in self.alerts.values()}:
            open_ones = [alert for alert in self.of(key) if alert.is_open]
            assert len(open_ones) <= 1, "two open alerts of one fingerprint"
            assert not open_ones or open_ones[0] == self.latest(key), "the open alert is not the latest"

    def _save_folded(self, alert: Alert) -> None:
        """A fold writes its own columns only; whatever else it changed would be lost."""
        before = self.alerts[alert.id]
        assert {name for name in Alert.__slots__ if getattr(before, name) != getattr(alert, name)} <= set(FOLDED)
        assert alert.version >= before.version
        self.alerts[alert.id] = alert


def trigger_key(rule: Rule, labels: dict[str, str]) -> bytes:
    """The fingerprint of a trigger."""
    return fingerprint(WORKSPACE, rule.framework_id, rule.id, labels)


def source_key(labels: dict[str, str]) -> bytes:
    """The fingerprint of another tool's alert."""
    return fingerprint(WORKSPACE, FRAMEWORK, None, labels)


def a_trigger(
    rule: Rule, labels: dict[str, str], severity: str | None = None, *, value: float = 200.0, resolved: bool = False
) -> tuple[bytes, Trigger]:
    """A sent trigger and its key."""
    payload = Trigger(
        rule_id=rule.id, framework_id=FRAMEWORK, value=value, severity=severity, resolved=resolved, labels=labels
    )
    return trigger_key(rule, labels), payload


def a_source_alert(
    labels: dict[str, str], starts_at: int | None, ends_at: int | None, *, resolved: bool = False
) -> tuple[bytes, SourceAlert]:
    """Another tool's alert, its times in seconds since START, and its key."""
    payload = SourceAlert(
        source="alertmanager",
        framework_id=FRAMEWORK,
        labels=labels,
        starts_at=None if starts_at is None else START + dt.timedelta(seconds=starts_at),
        ends_at=None if ends_at is None else START + dt.timedelta(seconds=ends_at),
        resolved=resolved,
    )
    return source_key(labels), payload
