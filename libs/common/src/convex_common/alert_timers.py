"""Timers that are about one alert: events of its own key, when they are due."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from convex_common.domain.alert import Alert
from convex_common.domain.change import Changes, Timer
from convex_common.domain.fingerprint import shard_of
from convex_common.events import OfAlert, SnoozeEnd, encode


def look_again(alert: Alert, due_at: dt.datetime, payload: OfAlert) -> Timer:
    """Process `payload` at `due_at`, in order with everything else that happens to the alert; moves one of its kind."""
    return _timer(alert, payload.kind, due_at, encode(payload))


def no_more(alert: Alert, kind: str) -> Timer:
    """Takes away the alert's timer of a kind, such as `SnoozeEnd.kind`."""
    return _timer(alert, kind, None)


def with_snoozes(changes: Changes, now: dt.datetime) -> Changes:
    """People's actions with what they do to the timers of snoozes."""
    moved = (timer for one in changes.entries if one.before for timer in _of_snooze(one.before, one.alert, now))
    return replace(changes, timers=(*changes.timers, *moved))


def _of_snooze(before: Alert, after: Alert, now: dt.datetime) -> tuple[Timer, ...]:
    """Where the snooze of an alert that stays open was taken away, the processor sees at once who is to be told."""
    if after.snoozed_until == before.snoozed_until:
        return ()
    if after.snoozed_until is not None:
        return (look_again(after, after.snoozed_until, SnoozeEnd(alert_id=after.id)),)
    if after.is_open:
        return (look_again(after, now, SnoozeEnd(alert_id=after.id, early=True)),)
    return (no_more(after, SnoozeEnd.kind),)


def _timer(alert: Alert, kind: str, due_at: dt.datetime | None, payload: bytes = b"") -> Timer:
    return Timer(
        kind=kind.removeprefix("timer:"),
        subject=str(alert.id),
        key=alert.fingerprint,
        shard=shard_of(alert.fingerprint),
        due_at=due_at,
        payload=payload,
    )
