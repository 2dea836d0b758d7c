"""What another setting of a rule would have made of the episodes that are on record. Pure.

An episode is on record from the moment it fired until it ended, so a longer hold and a longer window can be worked out
from it; what a shorter hold would have caught was never recorded, and is not guessed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from convex_common.domain.severity import Severity

SETTINGS: Final = ("for_seconds", "suppression_seconds", "severity", "enabled")
"""What can be replayed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One time that a rule fired on one fingerprint; `ended_at` None: it still does."""

    fingerprint: bytes
    began_at: dt.datetime
    ended_at: dt.datetime | None
    acknowledged: bool = False
    useful: bool | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """What of a rule decides how often it calls people."""

    for_seconds: int
    suppression_seconds: int
    severity: Severity
    enabled: bool = True

    def changed(self, change: Mapping[str, Any]) -> Setting:
        """With other values of some of SETTINGS."""
        kept = {name: change.get(name, getattr(self, name)) for name in SETTINGS}
        return Setting(**{**kept, "severity": Severity(kept["severity"])})


@dataclass(frozen=True, slots=True)
class Outcome:
    """How often it fired, how many episodes (alerts) that made, and how often people were told; and what of that
    somebody acknowledged or called useful, or a false alarm."""

    fired: int
    alerts: int
    notified: int
    acknowledged: int
    useful: int
    false_alarms: int
    severity: Severity


def replay(spans: Iterable[Span], before: Setting, after: Setting, now: dt.datetime) -> Outcome:
    """The spans, which fired under `before`, under `after`.

    A trigger within the suppression window of the last notification reopens its alert and tells nobody, unless it
    still fires when the window ends.
    """
    longer = dt.timedelta(seconds=max(0, after.for_seconds - before.for_seconds))
    window = dt.timedelta(seconds=after.suppression_seconds)
    notified_at: dict[bytes, dt.datetime] = {}
    fired = alerts = notified = acknowledged = useful = false_alarms = 0
    for span in sorted(spans, key=lambda one: one.began_at):
        began, ended = span.began_at + longer, span.ended_at or now
        if not after.enabled or (longer and began >= ended):
            continue
        fired += 1
        acknowledged += span.acknowledged
        useful += span.useful is True
        false_alarms += span.useful is False
        last = notified_at.get(span.fingerprint)
        if last is None or began >= last + window:
            alerts += 1
            notified += 1
            notified_at[span.fingerprint] = began
        elif ended > last + window:
            notified += 1
            notified_at[span.fingerprint] = last + window
    return Outcome(fired, alerts, notified, acknowledged, useful, false_alarms, after.severity)
