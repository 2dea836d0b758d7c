"""What people do to an alert: acknowledge, resolve, snooze, assign, comment, judge. The impossible is a conflict."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from convex_common.domain.alert import Alert, Event, Reason, Resolution, Status
from convex_common.domain.change import Cause, Changes, Entry, Personal
from convex_common.domain.channel import Channel
from convex_common.domain.notice import take_back
from convex_common.domain.verdict import Judged, Verdict
from convex_common.errors import Conflict, Invalid

LONGEST_SNOOZE: Final = dt.timedelta(days=30)


def acknowledge(alert: Alert, user_id: str, now: dt.datetime) -> Changes:
    """firing → acknowledged: no reminders from now on. It ends a snooze, since somebody is awake to it."""
    if alert.status is not Status.FIRING:
        raise Conflict(f"the alert is {alert.status} already; only a firing alert can be acknowledged")
    after = replace(
        alert,
        status=Status.ACKNOWLEDGED,
        acknowledged_by=user_id,
        acknowledged_at=now,
        snoozed_by=None,
        snoozed_until=None,
        version=alert.version + 1,
    )
    entry = Entry(
        alert=after, event=Event.ACKNOWLEDGED, reason=Reason.ACKNOWLEDGED_BY_PERSON, actor=user_id, before=alert
    )
    return Changes(updated=(after,), entries=(entry,))


def resolve(alert: Alert, user_id: str, notes: str | None, now: dt.datetime, channels: Iterable[Channel]) -> Changes:
    """firing or acknowledged → resolved by a person; stays so until the condition has cleared or the window ended."""
    if not alert.is_open:
        raise Conflict("the alert is resolved already")
    resolved = replace(
        alert,
        status=Status.RESOLVED,
        resolved_by=user_id,
        resolved_at=now,
        resolution=Resolution.MANUAL,
        resolution_notes=notes,
        cleared=False,
        silenced_by=None,
        silenced_until=None,
        snoozed_by=None,
        snoozed_until=None,
        version=alert.version + 1,
    )
    after, notice = take_back(resolved, Reason.RESOLVED_BY_PERSON, channels)
    entry = Entry(
        alert=after,
        event=Event.RESOLVED,
        reason=Reason.RESOLVED_BY_PERSON,
        notified=notice is not None,
        actor=user_id,
        before=alert,
        detail={
            **({"notes": notes} if notes else {}),
            **({} if notice else {"withheld": Reason.NOT_ANNOUNCED.value}),
        },
    )
    return Changes(updated=(after,), entries=(entry,), notices=(notice,) if notice else ())


def snooze_fault(until: dt.datetime, now: dt.datetime) -> str | None:
    """What is wrong with the end of a snooze; None where it is a time to come, and not too far off."""
    if until <= now:
        return "is in the past; give a time to come"
    if until > now + LONGEST_SNOOZE:
        return f"is more than {LONGEST_SNOOZE.days} days away; make a silence for longer"
    return None


def snooze(alert: Alert, user_id: str, until: dt.datetime | None, now: dt.datetime) -> Changes:
    """Nobody is told of an open alert until then; None ends its snooze. The same again changes nothing."""
    if not alert.is_open:
        raise Conflict("the alert is resolved already; only an open alert can be snoozed")
    if until is None:
        if not alert.is_snoozed:
            raise Conflict("the alert is not snoozed")
        return _said(alert, user_id, Event.SNOOZED, Reason.UNSNOOZED_BY_PERSON, snoozed_by=None, snoozed_until=None)
    if (fault := snooze_fault(until, now)) is not None:
        raise Invalid("until", fault)
    if (alert.snoozed_by, alert.snoozed_until) == (user_id, until):
        return Changes()
    return _said(alert, user_id, Event.SNOOZED, Reason.SNOOZED_BY_PERSON, snoozed_by=user_id, snoozed_until=until)


def assign(alert: Alert, user_id: str, assignee: str | None) -> Changes:
    """Who is to look after an open alert, or nobody in particular. The same again changes nothing.

    The assignee hears of it in their inbox, unless they took it themselves.
    """
    if not alert.is_open:
        raise Conflict("the alert is resolved already; only an open alert can be assigned")
    if alert.assigned_to == assignee:
        return Changes()
    reason = Reason.UNASSIGNED_BY_PERSON if assignee is None else Reason.ASSIGNED_BY_PERSON
    changes = _said(alert, user_id, Event.ASSIGNED, reason, assigned_to=assignee)
    if assignee is None or assignee == user_id:
        return changes
    (after,) = changes.updated
    return replace(changes, personal=(Personal(alert=after, user_id=assignee, cause=Cause.ASSIGNED),))


def _said(alert: Alert, user_id: str, event: Event, reason: Reason, **fields: object) -> Changes:
    """The alert with these fields, which its log tells."""
    after = replace(alert, **fields, version=alert.version + 1)  # type: ignore[arg-type]  # fields of an alert
    entry = Entry(alert=after, event=event, reason=reason, actor=user_id, before=alert, detail=_told(alert, fields))
    return Changes(updated=(after,), entries=(entry,))


def _told(before: Alert, fields: Mapping[str, object]) -> dict[str, object]:
    """What a reader of the log needs: the values now, and whose it was before."""
    told = {name: value for name, value in fields.items() if value is not None}
    return {**told, "instead_of": before.assigned_to} if "assigned_to" in fields and before.assigned_to else told


def comment(alert: Alert, user_id: str, text: str) -> Changes:
    """Something that a person says of it, open or resolved: it is on its log, and the alert stays as it is."""
    entry = Entry(
        alert=alert,
        event=Event.COMMENTED,
        reason=Reason.COMMENTED_BY_PERSON,
        actor=user_id,
        before=alert,
        detail={"text": text},
    )
    return Changes(entries=(entry,))


def judge(alert: Alert, user_id: str, verdict: Verdict, before: Verdict | None, now: dt.datetime) -> Changes:
    """Somebody's verdict, in place of the one they gave `before`; in any status. The same again changes nothing."""
    if verdict is before:
        return Changes()
    after = replace(
        alert,
        verdicts_useful=alert.verdicts_useful + (verdict is Verdict.USEFUL) - (before is Verdict.USEFUL),
        verdicts_false_alarm=alert.verdicts_false_alarm
        + (verdict is Verdict.FALSE_ALARM)
        - (before is Verdict.FALSE_ALARM),
        version=alert.version + 1,
    )
    entry = Entry(
        alert=after,
        event=Event.JUDGED,
        reason=Reason.JUDGED_USEFUL if verdict is Verdict.USEFUL else Reason.JUDGED_FALSE_ALARM,
        actor=user_id,
        before=alert,
        detail={"verdict": verdict.value, **({"instead_of": before.value} if before else {})},
    )
    judged = Judged(alert_id=alert.id, user_id=user_id, verdict=verdict, at=now)
    return Changes(updated=(after,), entries=(entry,), judged=(judged,))
