"""What people do to an alert: acknowledge, resolve, comment, judge. Impossible transitions are conflicts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace

from convex_common.domain.alert import Alert, Event, Reason, Resolution, Status
from convex_common.domain.change import Changes, Entry
from convex_common.domain.channel import Channel
from convex_common.domain.notice import take_back
from convex_common.domain.verdict import Judged, Verdict
from convex_common.errors import Conflict


def acknowledge(alert: Alert, user_id: str, now: dt.datetime) -> Changes:
    """firing → acknowledged: no reminders from now on."""
    if alert.status is not Status.FIRING:
        raise Conflict(f"the alert is {alert.status} already; only a firing alert can be acknowledged")
    after = replace(
        alert, status=Status.ACKNOWLEDGED, acknowledged_by=user_id, acknowledged_at=now, version=alert.version + 1
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
