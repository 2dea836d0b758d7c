"""Silences: nobody is told of the alerts that they fit, while they are in effect."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from convex_common.domain.alert import Alert
from convex_common.domain.channel import Matcher, matched_labels
from convex_common.domain.recurrence import Recurrence, recurrence

UTC_NAME = "UTC"


def silence_key(silence_id: uuid.UUID) -> bytes:
    """The key of the events that are about a silence: spread over the shards as fingerprints are."""
    return hashlib.sha256(b"silence" + silence_id.bytes).digest()


class State(StrEnum):
    """Where a silence stands: in effect, yet to come (again), or over for good."""

    ACTIVE = "active"
    PENDING = "pending"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Span:
    """One time that a silence is in effect, without its end."""

    starts_at: dt.datetime
    ends_at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """From `starts_at` to `ends_at`, and with a rule as long again each time that it recurs."""

    id: uuid.UUID
    matchers: tuple[Matcher, ...]
    starts_at: dt.datetime
    ends_at: dt.datetime
    rrule: str | None = None
    timezone: str | None = None
    expired_at: dt.datetime | None = None

    @property
    def recurrence(self) -> Recurrence | None:
        """When it begins, where it recurs."""
        return recurrence(self.rrule, self.starts_at, self.timezone or UTC_NAME) if self.rrule else None

    @property
    def over_at(self) -> dt.datetime:
        """When it is over for good."""
        last = self.recurrence.last + (self.ends_at - self.starts_at) if self.recurrence else self.ends_at
        return last if self.expired_at is None else min(last, self.expired_at)

    def span(self, now: dt.datetime) -> Span | None:
        """The time that it is in effect in; None where it is not."""
        if now >= self.over_at:
            return None
        begun = self.starts_at
        if self.recurrence is not None:
            last = self.recurrence.before(now)
            if last is None:
                return None
            begun = last
        ends = min(begun + (self.ends_at - self.starts_at), self.over_at)
        return Span(begun, ends) if begun <= now < ends else None

    def next_start(self, now: dt.datetime) -> dt.datetime | None:
        """When it begins (again) after `now`."""
        if now >= self.over_at:
            return None
        if self.recurrence is not None:
            return self.recurrence.after(now)
        return self.starts_at if self.starts_at > now else None

    def state(self, now: dt.datetime) -> State:
        """Where it stands."""
        if self.span(now) is not None:
            return State.ACTIVE
        return State.EXPIRED if self.next_start(now) is None else State.PENDING

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether it is about an alert with these labels."""
        return all(matcher.fits(labels) for matcher in self.matchers)


@dataclass(frozen=True, slots=True)
class Silenced:
    """By which silence, and until when."""

    by: uuid.UUID
    until: dt.datetime


def silenceable_labels(alert: Alert) -> dict[str, str]:
    """What a silence's matchers see: what a channel's see, and the rule's name as Alertmanager calls it."""
    return with_alertname(matched_labels(alert))


def with_alertname(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels as channels see them, made those that silences see."""
    return {"alertname": labels["rule_name"], **labels}


def silenced(alert: Alert, silences: Iterable[Silence], now: dt.datetime) -> Silenced | None:
    """What silences an alert at `now`; of several the one that ends last."""
    found: Silenced | None = None
    labels: Mapping[str, str] | None = None
    for silence in silences:
        span = silence.span(now)
        if span is None or (found is not None and span.ends_at <= found.until):
            continue
        labels = silenceable_labels(alert) if labels is None else labels
        if silence.fits(labels):
            found = Silenced(silence.id, span.ends_at)
    return found
