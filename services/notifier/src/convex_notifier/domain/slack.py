"""Slack's form of a notification (Block Kit), within Slack's limits, and what Slack's answers mean.

https://docs.slack.dev/reference/block-kit, https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final

import msgspec

from convex_notifier.domain.answer import Answer, Verdict
from convex_notifier.domain.colours import COLOURS
from convex_notifier.domain.summary import Summary

LONGEST_HEADER: Final = 150
LONGEST_FIELD: Final = 500
LONGEST_SECTION: Final = 2000
"""In Slack's own terms 2000 and 3000; all together must stay below some 13,000 characters."""
MOST_FIELDS: Final = 10
MOST_ELEMENTS: Final = 10
BETWEEN: Final = "   "
ASIDE: Final = ("Value", "Threshold", "Severity", "Rule", "Occurrences", "Asked for by")
"""The facts in two columns; the others are small print."""

ERRORS: Final = {
    "no_service": "the webhook does not exist any more",
    "no_service_id": "the webhook's address is not whole",
    "no_active_hooks": "the webhook was disabled",
    "invalid_token": "the webhook's address is wrong",
    "no_team": "the Slack workspace does not exist any more",
    "team_disabled": "the Slack workspace was disabled",
    "channel_not_found": "the Slack channel does not exist any more",
    "channel_is_archived": "the Slack channel was archived",
    "user_not_found": "the Slack user does not exist any more",
    "action_prohibited": "the Slack workspace's administrators do not allow it",
    "posting_to_general_channel_denied": "the webhook may not post to the general channel",
}
CURE: Final = "make another webhook in Slack and give it to the channel"

_BROADCASTS: Final = re.compile(r"@(?=(?:channel|here|everyone|all|group)\b)", re.IGNORECASE)


def body(summary: Summary) -> bytes:
    """The JSON of the message. `text` is what a phone shows, and what servers like Slack show that know no blocks."""
    return msgspec.json.encode(
        {
            "text": _fallback(summary),
            "blocks": [_header(summary)],
            "attachments": [
                {
                    "color": COLOURS.get(summary.tone, COLOURS["info"]),
                    "fallback": summary.tag,
                    "blocks": [*_blocks(summary)],
                }
            ],
        }
    )


def explained(given: Answer) -> Answer:
    """Slack's own words for what went wrong, with the cure. To be asked to wait is no sign of trouble at Slack's."""
    if given.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        return replace(given, verdict=Verdict.DEFERRED)
    said = (given.excerpt or "").strip()
    if given.verdict is Verdict.REJECTED and said in ERRORS:
        return replace(given, error=f"{given.error}: {ERRORS[said]}; {CURE}")
    return given


def escape(text: str) -> str:
    """Text as it is meant: no markup of Slack's, no link, no mention of everybody, here or in servers like Slack."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _BROADCASTS.sub("@\N{WORD JOINER}", escaped)


def fitted(text: str, longest: int) -> str:
    """The text, escaped; or as much of its start as fits when escaped."""
    told = escape(text)
    while len(told) > longest:
        text = cut(text, len(text) * longest // len(told))
        told = escape(text)
    return told


def cut(text: str, longest: int) -> str:
    """The text, or its start."""
    return text if len(text) <= longest else text[: max(0, longest - 1)].rstrip() + "…"


def _fallback(summary: Summary) -> str:
    facts = dict(summary.facts)
    value = f" (value {facts['Value']})" if facts.get("Value") else ""
    told = f"*{escape(summary.tag)}*: {escape(summary.title)}{escape(value)}"
    return f"{told} <{summary.link}|Open>" if summary.link else told


def _header(summary: Summary) -> dict[str, Any]:
    return {"type": "header", "text": _plain(cut(f"{summary.tag}: {summary.title}", LONGEST_HEADER))}


def _blocks(summary: Summary) -> Iterator[dict[str, Any]]:
    yield _section(fitted(summary.lead or summary.title, LONGEST_SECTION))
    fields = [f"*{escape(name)}*\n{fitted(value, LONGEST_FIELD)}" for name, value in summary.facts if name in ASIDE]
    if fields:
        yield {"type": "section", "fields": [_markup(field) for field in fields[:MOST_FIELDS]]}
    if summary.details:
        yield _section(fitted(summary.details, LONGEST_SECTION))
    if summary.labels:
        yield _section(_listed([f"{name}={value}" for name, value in summary.labels]))
    rest = [fitted(f"{name} {value}", LONGEST_FIELD) for name, value in summary.facts if name not in ASIDE]
    if rest:
        yield {"type": "context", "elements": [_markup(one) for one in rest[:MOST_ELEMENTS]]}
    if summary.link:
        button = {"type": "button", "text": _plain("Open in Convex Alerts"), "url": summary.link, "action_id": "open"}
        yield {"type": "actions", "elements": [button]}


def _listed(pairs: Sequence[str]) -> str:
    """As many as fit, each whole or cut by itself, and how many are left out."""
    told: list[str] = []
    room = LONGEST_SECTION
    for pair in pairs:
        piece = fitted(pair, LONGEST_FIELD)
        room -= len(piece) + len(BETWEEN)
        if room < 0:
            return BETWEEN.join([*told, f"_and {len(pairs) - len(told)} more_"])
        told.append(piece)
    return BETWEEN.join(told)


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _markup(text)}


def _markup(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}
