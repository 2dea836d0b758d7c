"""Notifying about an alert: what it does to the alert, and which channels hear of it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import replace

from convex_common.domain.alert import Alert, Reason
from convex_common.domain.change import Cause, Notice
from convex_common.domain.channel import Channel, route


def announce(
    alert: Alert,
    cause: Cause,
    reason: Reason,
    now: dt.datetime,
    channels: Iterable[Channel],
    chosen: tuple[uuid.UUID, ...] | None,
) -> tuple[Alert, Notice]:
    """Tell that it fires: starts the suppression window, and remembers who was told."""
    routed = route(alert, channels, chosen)
    told = tuple(dict.fromkeys((*alert.announced_channels, *(channel.id for channel in routed))))
    after = replace(
        alert,
        last_notified_at=now,
        last_notified_severity=alert.severity,
        announced=True,
        announced_channels=told,
        notifications_sent=alert.notifications_sent + 1,
    )
    return after, Notice(alert=after, cause=cause, reason=reason, sequence=after.notifications_sent, channels=routed)


def take_back(alert: Alert, reason: Reason, channels: Iterable[Channel]) -> tuple[Alert, Notice | None]:
    """Tell that it is over, where its firing was told and nowhere else; None where nobody was told."""
    if not alert.announced:
        return replace(alert, announced=False, announced_channels=()), None
    told = tuple(channel for channel in channels if channel.enabled and channel.id in alert.announced_channels)
    after = replace(alert, announced=False, announced_channels=(), notifications_sent=alert.notifications_sent + 1)
    notice = Notice(alert=after, cause=Cause.RESOLVED, reason=reason, sequence=after.notifications_sent, channels=told)
    return after, notice
