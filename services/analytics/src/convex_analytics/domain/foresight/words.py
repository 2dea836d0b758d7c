"""The evidence in plain sentences, and what may be done about it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from convex_analytics.domain.foresight.evidence import Evidence
from convex_analytics.domain.foresight.history import History
from convex_analytics.domain.foresight.odds import Odds

_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SPANS: Final = {1: "hour", 4: "four hours", 24: "day", 168: "week"}
_LITTLE: Final = 14 * 24
_CHANGED: Final = 1.5


def reason(kind: str, horizon: int, found: Odds, limit: int | None) -> str:
    """Why one probability is what it is."""
    what = {
        "next_alert": "an alert",
        "anomaly": f"an hour with more than {limit} alerts",
        "escalation": "a critical alert",
    }[kind]
    usual = found.usual[horizon]
    if math.isnan(usual):
        return f"Less than one {_SPANS[horizon]} of history: the general expectation stands in."
    came = f"{_share(usual)} of past {_span(horizon)} had {what}"
    level = found.levels[24.0]
    if level >= _CHANGED:
        return f"{came}; the last day had {level:.1f} times as many such hours as usual at those times."
    if level <= 1 / _CHANGED:
        return f"{came}; the last day was quieter than usual at those times."
    return f"{came}; the last day was as usual."


def reasoning(evidence: Evidence) -> list[str]:
    """What the figures say, the weightiest first."""
    if evidence.alerts == 0:
        return [f"No alert opened in the {_time(evidence.hours_known)} that are known, so little is claimed."]
    before = evidence.the_7_days_before
    said = [f"{_alerts(evidence.last_7_days)} opened in the last 7 days, {before} in the 7 days before."]
    if evidence.level_of_last_day >= _CHANGED:
        said.append(f"The last day had {evidence.level_of_last_day:.1f} times as many hours with alerts as usual.")
    if evidence.busiest_hour is not None:
        said.append(
            f"{_hour(evidence.busiest_hour)} is the hour that alerts most often open in, "
            f"{evidence.busiest_times_mean} times as often as in an average hour."
        )
    if evidence.dispersion is not None and evidence.dispersion >= 2:
        said.append("Alerts come in bursts: after one, more are likely within hours.")
    if evidence.critical:
        said.append(f"{evidence.critical} of {_alerts(evidence.alerts)} of the last eight weeks became critical.")
    if evidence.hours_since_last is not None:
        said.append(f"The last alert opened {_time(evidence.hours_since_last)} ago.")
    if evidence.hours_known < _LITTLE:
        said.append(f"Only {_time(evidence.hours_known)} are known: expect more from later predictions.")
    return said


def actions(evidence: Evidence, history: History) -> list[Mapping[str, Any]]:
    """What may be done, with what speaks for it; nothing where nothing stands out."""
    found: list[Mapping[str, Any]] = []
    if evidence.noisiest and evidence.last_7_days >= 5:
        worst = evidence.noisiest[0]
        share = worst.alerts / evidence.last_7_days
        if share >= 0.3:
            found.append(
                {
                    "action": f"Look at the rule {worst.name} first: mend its cause, its threshold or its hold time.",
                    "because": f"It opened {_share(share)} of the alerts of the last 7 days.",
                }
            )
    found += [{"action": one.action, "because": one.pattern} for one in history.patterns[:3]]
    if evidence.level_of_last_day >= _CHANGED and evidence.last_7_days >= 3:
        found.append(
            {
                "action": "Look for what changed in the last day: a release, a change of configuration, a load.",
                "because": f"{evidence.level_of_last_day:.1f} times as many hours with alerts as usual.",
            }
        )
    if evidence.busiest_hour is not None:
        found.append(
            {
                "action": f"Look for what runs around {_hour(evidence.busiest_hour)}, and have somebody at hand then.",
                "because": f"Alerts open {evidence.busiest_times_mean} times as often as in an average hour.",
            }
        )
    return found


def _share(share: float) -> str:
    if 0 < share < 0.01:
        return "less than 1 %"
    return f"{share:.0%}".replace("%", " %")


def _span(horizon: int) -> str:
    return {1: "hours", 4: "four-hour spans", 24: "days", 168: "weeks"}[horizon]


def _alerts(count: int) -> str:
    return "1 alert" if count == 1 else f"{count} alerts"


def _time(hours: int) -> str:
    if hours < 1:
        return "less than an hour"
    if hours < 48:
        return "1 hour" if hours == 1 else f"{hours} hours"
    return f"{hours // 24} days"


def _hour(of_week: int) -> str:
    day, hour = divmod(of_week, 24)
    return f"{_DAYS[day]} {hour:02}:00–{(hour + 1) % 24:02}:00 UTC"
