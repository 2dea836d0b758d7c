"""Silences on the wire."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, StringConstraints

from convex_common.domain import silence as domain
from convex_common.domain.channel import Matcher as DomainMatcher
from convex_common.domain.silence import State
from convex_common.postgres.silences import Stored
from convex_gateway.pagination import Page
from convex_gateway.problems import NO_NUL, FieldError
from convex_gateway.shapes.alerts import Alert
from convex_gateway.shapes.body import Answer, Body, Moment, Words
from convex_gateway.shapes.channels import Matcher, MatcherTold

AHEAD = dt.timedelta(days=5 * 366)
LONGEST = dt.timedelta(days=366)
EARLIEST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


def _timezone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("is no timezone of the IANA database, such as Europe/Berlin")
    ZoneInfo(name)
    return name


Timezone = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=NO_NUL), AfterValidator(_timezone)]
SilenceMatchers = Annotated[list[Matcher], Field(min_length=1, max_length=50)]


class SilenceMatches(Body):
    """Which alerts: those that all matchers fit."""

    matchers: SilenceMatchers = Field(
        description="On the alert's labels and its `severity`, `alert_type`, `framework_id`, `rule_id`, `rule_name` "
        "and `alertname`. One at least must not fit what has no labels"
    )


class SilenceDraft(SilenceMatches):
    """A silence to be made."""

    starts_at: Moment | None = Field(default=None, description="Now if absent; may be past")
    ends_at: Moment
    rrule: Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=NO_NUL)] | None = Field(
        default=None,
        description="RFC 5545, such as `FREQ=WEEKLY;BYDAY=SA,SU`: it begins again on these days at the time of day of "
        "`starts_at` and lasts as long; for five years at most. DAILY, WEEKLY, MONTHLY or YEARLY",
    )
    timezone: Timezone | None = Field(default=None, description="Whose wall clock `rrule` goes by; UTC if absent")
    comment: Words = ""


class Silence(Answer):
    """Nobody is told of the alerts that it fits, while it is active."""

    id: uuid.UUID
    matchers: list[MatcherTold]
    starts_at: dt.datetime
    ends_at: dt.datetime
    rrule: str | None
    timezone: str | None
    comment: str
    created_by: str
    created_at: dt.datetime
    state: State
    active_until: dt.datetime | None = Field(description="The end of this time; null while it is not active")
    next_start: dt.datetime | None = Field(description="When it begins (again); null where it does not")
    expired_at: dt.datetime | None = Field(description="Where a person ended it early")
    expired_by: str | None


class SilencePage(Page[Silence]):
    """Silences, the newest first."""


class SilencePreview(Answer):
    """What a silence with these matchers would be about."""

    open: int = Field(description="Alerts that are open now and would be silenced")
    alerts: list[Alert] = Field(description="The newest 50 of them")
    last_day: int = Field(description="Alerts that fired within the last 24 hours, open or not")
    cut: bool = Field(description="There are more alerts than were looked at, so there may be more")


def matchers_of(drafted: list[Matcher]) -> tuple[DomainMatcher, ...]:
    """As the domain has them."""
    return tuple(DomainMatcher(one.name, one.op, one.value) for one in drafted)


def faults(asked: SilenceMatches, now: dt.datetime) -> list[FieldError]:
    """What of it does not hold together."""
    wrong: list[FieldError] = []
    if all(matcher.fits({}) for matcher in matchers_of(asked.matchers)):
        message = "fit every alert that lacks these labels; let one at least ask for a value"
        wrong.append(FieldError(field="matchers", message=message))
    if not isinstance(asked, SilenceDraft):
        return wrong
    starts_at = asked.starts_at or now
    if not EARLIEST <= starts_at <= now + AHEAD:
        wrong.append(FieldError(field="starts_at", message="must be within the next five years, and not long past"))
    if asked.ends_at <= starts_at:
        wrong.append(FieldError(field="ends_at", message="must be after starts_at"))
    elif asked.ends_at - starts_at > LONGEST:
        wrong.append(FieldError(field="ends_at", message="must be within a year of starts_at"))
    elif asked.rrule is None and asked.ends_at <= now:
        wrong.append(FieldError(field="ends_at", message="is past"))
    if asked.timezone is not None and asked.rrule is None:
        wrong.append(FieldError(field="timezone", message="goes with rrule"))
    return wrong


def told(stored: Stored, now: dt.datetime) -> Silence:
    """A silence as it stands at `now`."""
    silence: domain.Silence = stored.silence
    span = silence.span(now)
    return Silence(
        id=silence.id,
        matchers=[MatcherTold.model_validate(one) for one in silence.matchers],
        starts_at=silence.starts_at,
        ends_at=silence.ends_at,
        rrule=silence.rrule,
        timezone=silence.timezone,
        comment=stored.comment,
        created_by=stored.created_by,
        created_at=stored.created_at,
        state=silence.state(now),
        active_until=span.ends_at if span else None,
        next_start=silence.next_start(now),
        expired_at=silence.expired_at,
        expired_by=stored.expired_by,
    )
