"""Suppression: what one occurrence, clear or timer does to the latest alert of its fingerprint, and why.

The window starts at the fingerprint's last notified trigger and survives the episode: the latest alert carries it, open
or resolved, and a new episode carries it on.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from enum import Enum, auto

from convex_common.domain.alert import Alert, Event, Reason, Resolution, Status
from convex_common.domain.change import Cause
from convex_common.domain.severity import Severity
from convex_common.domain.silence import Silenced


class Move(Enum):
    """What happens to the episode."""

    OPEN = auto()
    FOLD = auto()
    REOPEN = auto()
    STAY_CLOSED = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision on one occurrence: the move, who hears of it (None: nobody), and why."""

    move: Move
    notify: Cause | None
    reason: Reason


def of_occurrence(latest: Alert | None, severity: Severity, now: dt.datetime) -> Verdict:
    """One occurrence of the condition at `now`, by the server's clock."""
    if latest is None:
        return Verdict(Move.OPEN, Cause.FIRED, Reason.FIRST_TRIGGER)
    if latest.is_open:
        return _while_open(latest, severity, now)
    return _after_resolve(latest, severity, now)


def _while_open(alert: Alert, severity: Severity, now: dt.datetime) -> Verdict:
    if severity.exceeds(alert.severity):
        return Verdict(Move.FOLD, Cause.ESCALATION, Reason.SEVERITY_RAISED)
    if alert.in_window(now):
        return Verdict(Move.FOLD, None, Reason.DUPLICATE)
    if alert.status is Status.ACKNOWLEDGED:
        return Verdict(Move.FOLD, None, Reason.ACKNOWLEDGED)
    if not alert.announced:
        return Verdict(Move.FOLD, Cause.FIRED, Reason.WINDOW_ENDED)
    return Verdict(Move.FOLD, Cause.REMINDER, Reason.STILL_FIRING)


def _after_resolve(alert: Alert, severity: Severity, now: dt.datetime) -> Verdict:
    if not alert.in_window(now):
        return Verdict(Move.OPEN, Cause.FIRED, Reason.FIRST_TRIGGER)
    if alert.last_notified_severity is not None and severity.exceeds(alert.last_notified_severity):
        return Verdict(Move.OPEN, Cause.FIRED, Reason.SEVERITY_RAISED)
    if alert.resolution is Resolution.MANUAL and not alert.cleared:
        return Verdict(Move.STAY_CLOSED, None, Reason.CLOSED_BY_PERSON)
    return Verdict(Move.REOPEN, None, Reason.DUPLICATE)


def reopened(alert: Alert) -> Alert:
    """The same episode, firing again after a resolve; nobody has been told of it yet."""
    return replace(
        alert,
        status=Status.FIRING,
        acknowledged_by=None,
        acknowledged_at=None,
        resolved_by=None,
        resolved_at=None,
        resolution=None,
        resolution_notes=None,
        cleared=False,
        announced=False,
        announced_channels=(),
    )


def marked(alert: Alert, found: Silenced | None) -> Alert:
    """The alert as it shows what silences it."""
    by, until = (None, None) if found is None else (found.by, found.until)
    if (alert.silenced_by, alert.silenced_until) == (by, until):
        return alert
    return replace(alert, silenced_by=by, silenced_until=until)


class OnClear(Enum):
    """What the end of the condition does."""

    RESOLVE = auto()
    MARK_CLEARED = auto()
    NOTHING = auto()


def of_clear(latest: Alert | None) -> OnClear:
    """The condition has ended: an open alert is resolved; one that a person resolved may fire again from now on."""
    if latest is None:
        return OnClear.NOTHING
    if latest.is_open:
        return OnClear.RESOLVE
    if latest.resolution is Resolution.MANUAL and not latest.cleared:
        return OnClear.MARK_CLEARED
    return OnClear.NOTHING


def resolved(alert: Alert, resolution: Resolution, now: dt.datetime) -> Alert:
    """The episode, ended without a person."""
    return replace(
        alert,
        status=Status.RESOLVED,
        resolved_at=now,
        resolution=resolution,
        cleared=True,
        silenced_by=None,
        silenced_until=None,
        snoozed_by=None,
        snoozed_until=None,
    )


def of_window_end(alert: Alert, now: dt.datetime) -> Verdict | None:
    """The window of a silently reopened alert has ended: notify if it still fires. None: there is nothing to say.

    The caller sets the timer anew where the window was moved meanwhile.
    """
    if not alert.is_open or alert.announced or alert.in_window(now):
        return None
    if alert.status is Status.ACKNOWLEDGED:
        return Verdict(Move.FOLD, None, Reason.ACKNOWLEDGED)
    return Verdict(Move.FOLD, Cause.FIRED, Reason.WINDOW_ENDED)


def of_silence_end(alert: Alert, now: dt.datetime) -> Verdict | None:
    """No silence keeps people from an open alert any more: what there is to say that they were not told.

    None: nothing. What is in the window of an earlier notification is told by the window's end.
    """
    told = alert.last_notified_severity
    raised = told is not None and alert.severity.exceeds(told)
    if alert.announced and raised:
        return Verdict(Move.FOLD, Cause.ESCALATION, Reason.SEVERITY_RAISED)
    if alert.status is not Status.FIRING:
        return None
    if not alert.announced:
        if raised:
            return Verdict(Move.FOLD, Cause.FIRED, Reason.SEVERITY_RAISED)
        return None if alert.in_window(now) else Verdict(Move.FOLD, Cause.FIRED, Reason.SILENCE_ENDED)
    since, window = alert.last_notified_at, alert.window_ends_at
    reminded = since is not None and window is not None and since < alert.last_seen_at and window <= alert.last_seen_at
    return Verdict(Move.FOLD, Cause.REMINDER, Reason.SILENCE_ENDED) if reminded else None


def woken(alert: Alert) -> Alert:
    """The alert without its snooze."""
    return replace(alert, snoozed_by=None, snoozed_until=None)


def of_snooze_end(alert: Alert) -> Verdict:
    """The snooze of an open alert has come to its end: a reason to tell of it whatever its status.

    Who snoozed it asked for that.
    """
    if not alert.announced:
        return Verdict(Move.FOLD, Cause.FIRED, Reason.SNOOZE_ENDED)
    told = alert.last_notified_severity
    raised = told is not None and alert.severity.exceeds(told)
    return Verdict(Move.FOLD, Cause.ESCALATION if raised else Cause.REMINDER, Reason.SNOOZE_ENDED)


class OnResend(Enum):
    """What another tool's firing alert means, seen against the latest alert of its labels."""

    OCCURRENCE = auto()
    MOVE_TIMER = auto()
    NOTHING = auto()


def of_source_firing(latest: Alert | None, starts_at: dt.datetime | None, now: dt.datetime) -> OnResend:
    """Same labels and startsAt: a resend moves the end and is no occurrence. An older startsAt is out of date."""
    if latest is None:
        return OnResend.OCCURRENCE
    same = starts_at is None or starts_at == latest.source_starts_at
    if starts_at is not None and latest.source_starts_at is not None and starts_at < latest.source_starts_at:
        return OnResend.NOTHING
    if not same:
        return OnResend.OCCURRENCE
    if latest.is_open:
        return OnResend.MOVE_TIMER
    if latest.resolution is Resolution.MANUAL and not latest.cleared and latest.in_window(now):
        return OnResend.NOTHING
    return OnResend.OCCURRENCE


def source_resolve_applies(latest: Alert | None, starts_at: dt.datetime | None) -> bool:
    """Whether a resolve is about the latest episode, and not about one before it."""
    if latest is None:
        return False
    return starts_at is None or latest.source_starts_at is None or starts_at >= latest.source_starts_at


# What a person reads as the row's event, by the move.
EVENTS = {
    Move.OPEN: Event.CREATED,
    Move.FOLD: Event.UPDATED,
    Move.REOPEN: Event.REOPENED,
    Move.STAY_CLOSED: Event.SUPPRESSED,
}
