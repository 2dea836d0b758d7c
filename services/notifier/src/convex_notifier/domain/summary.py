"""What people read of a notification, whatever it is sent by: short, in plain text, and safe to show on one line."""

from __future__ import annotations

import datetime as dt
import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from convex_notifier.domain.message import Message

LONGEST_TITLE: Final = 250
LONGEST_NAME: Final = 128
LONGEST_VALUE: Final = 300
LONGEST_DETAILS: Final = 1500

STATES: Final = {
    "fired": "Firing",
    "reminder": "Still firing",
    "escalation": "Escalated",
    "resolved": "Resolved",
    "digest": "Digest",
    "test": "Test",
}
ENDINGS: Final = {
    "condition_cleared": "its condition has cleared",
    "source_resolved": "its source says that it is over",
    "source_expired": "its source has not repeated it",
    "rule_deleted": "its rule was deleted",
    "rule_disabled": "its rule was disabled",
    "rule_changed": "its rule was changed",
    "framework_deleted": "its framework was deleted",
}


class _Alert(msgspec.Struct):
    """What is read of the alert's JSON."""

    id: str = ""
    title: str = "Alert"
    severity: str = "info"
    rule_name: str = ""
    current_value: float | None = None
    threshold_value: float | None = None
    labels: dict[str, str] = {}
    context: dict[str, Any] = {}
    occurrences: int = 1
    triggered_at: dt.datetime | None = None
    resolved_by: str | None = None
    resolved_at: dt.datetime | None = None
    resolution_notes: str | None = None


_decode = msgspec.json.Decoder(_Alert).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A notification in words. `tone` is the severity, or `resolved`; `details` may have several lines."""

    state: str
    severity: str
    tone: str
    title: str
    lead: str
    facts: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    details: str = ""
    link: str | None = None

    @property
    def tag(self) -> str:
        """The state with its severity where that still matters: `Critical`, `Still firing: critical`, `Resolved`."""
        if self.state == STATES["fired"]:
            return self.severity.capitalize()
        if self.state in (STATES["reminder"], STATES["escalation"]):
            return f"{self.state}: {self.severity}"
        return self.state


def of(message: Message, public_url: str | None) -> Summary:
    """The notification in words; `public_url` is where people reach the page, without a slash at its end."""
    alert = _decode(message.alert)
    return Summary(
        state=STATES.get(message.cause, clean(message.cause, LONGEST_NAME).capitalize()),
        severity=clean(alert.severity, LONGEST_NAME),
        tone="resolved" if message.cause == "resolved" else clean(alert.severity, LONGEST_NAME),
        title=clean(alert.title, LONGEST_TITLE) or "Alert",
        lead=clean(_lead(message, alert), LONGEST_VALUE),
        facts=tuple((name, clean(value, LONGEST_VALUE)) for name, value in _facts(message, alert) if value),
        labels=tuple(
            (clean(name, LONGEST_NAME) or "?", clean(value, LONGEST_VALUE)) for name, value in alert.labels.items()
        ),
        details=clean(_details(alert.context), LONGEST_DETAILS, keep_lines=True),
        link=_link(public_url, message.alert_id),
    )


def _lead(message: Message, alert: _Alert) -> str:
    lasted = _lasted(alert, message.created_at)
    if message.reason == "snooze_ended":
        return f"It was snoozed, and is still open after {lasted}."
    match message.cause:
        case "fired" if message.reason == "severity_raised":
            return f"Its severity has risen to {alert.severity}."
        case "fired" if message.reason == "window_ended":
            return "It came back after it had been resolved, and is still firing."
        case "fired":
            return "It has begun to fire."
        case "reminder" | "escalation":
            return f"It has been firing for {lasted}, and nobody has acknowledged it."
        case "resolved" if alert.resolved_by or message.reason == "resolved_by_person":
            return f"{alert.resolved_by or 'Somebody'} resolved it after {lasted}."
        case "resolved":
            ending = ENDINGS.get(message.reason or "")
            return f"It is over after {lasted}{f': {ending}' if ending else ''}."
        case "digest":
            return "What happened since the last digest."
        case "test":
            return "This is a test of the channel. Nothing is wrong, and nothing is to be done."
    return ""


def _facts(message: Message, alert: _Alert) -> list[tuple[str, str]]:
    if message.cause == "test":
        return [("Asked for by", str(alert.context.get("requested_by") or "")), ("At", moment(message.created_at))]
    over = message.cause == "resolved"
    return [
        ("Value", number(alert.current_value)),
        ("Threshold", number(alert.threshold_value)),
        ("Severity", alert.severity),
        ("Rule", alert.rule_name),
        ("Since", moment(alert.triggered_at)),
        ("Resolved", moment(alert.resolved_at) if over else ""),
        ("Occurrences", str(alert.occurrences) if alert.occurrences > 1 else ""),
        ("Notes", (alert.resolution_notes or "") if over else ""),
    ]


def _details(context: Mapping[str, Any]) -> str:
    """What another tool's alert says in its annotations beyond its title."""
    annotations = context.get("annotations")
    if not isinstance(annotations, Mapping):
        return ""
    named = (annotations.get(name) for name in ("description", "message", "runbook_url"))
    return "\n".join(text for text in named if isinstance(text, str) and text)


def _link(public_url: str | None, alert_id: uuid.UUID | None) -> str | None:
    if public_url is None:
        return None
    return f"{public_url}/" if alert_id is None else f"{public_url}/alerts/{alert_id}"


def _lasted(alert: _Alert, now: dt.datetime) -> str:
    began, ended = alert.triggered_at, alert.resolved_at or now
    return duration(ended - began) if began else "a while"


def number(value: float | None) -> str:
    """As people write it: `1,250`, `0.5`, nothing for none."""
    if value is None:
        return ""
    if not 1 <= abs(value) < 1e15:  # also where it is none
        return f"{value:.4g}"
    return f"{value:,.4f}".rstrip("0").rstrip(".")


def moment(at: dt.datetime | None) -> str:
    """A time to the second, in UTC, which says so."""
    return "" if at is None else at.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def duration(span: dt.timedelta) -> str:
    """Its two largest units: `2 d 3 h`, `4 min 10 s`, `0 s`."""
    parts: list[str] = []
    left = max(0, int(span.total_seconds()))
    for unit, seconds in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, seconds)
        if count or parts or unit == "s":
            parts.append(f"{count} {unit}" if count or not parts else "")
    return " ".join(part for part in parts[:2] if part)


def clean(text: str, longest: int, *, keep_lines: bool = False) -> str:
    """What is shown of a text: no control characters, nothing that turns the direction of what follows, no more than
    `longest` characters, and one line unless lines are kept."""
    kept = "".join(_shown(character, keep_lines) for character in text[: 4 * longest])
    lines = [" ".join(line.split()) for line in kept.split("\n")]
    told = "\n".join(lines).strip() if keep_lines else " ".join(line for line in lines if line)
    return told if len(told) <= longest else told[: longest - 1].rstrip() + "…"


def _shown(character: str, keep_lines: bool) -> str:
    if character == "\n" and keep_lines:
        return character
    category = unicodedata.category(character)
    if character.isspace() or category == "Cc":
        return " "
    if category == "Cf" and character not in "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}":
        return ""
    return "\N{REPLACEMENT CHARACTER}" if category in ("Cs", "Co", "Cn") else character
