"""The e-mail of a notification: its headers, its ids and its two forms, text and HTML."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from email import policy
from email.header import Header
from email.headerregistry import Address, BaseHeader, HeaderRegistry, MessageIDHeader, UniqueUnstructuredHeader
from email.message import EmailMessage
from email.policy import EmailPolicy, Policy
from typing import Final

from convex_common.domain.mailbox import Mailbox
from convex_notifier.domain.message import Destination, Message
from convex_notifier.domain.summary import Summary

SENDER_NAME: Final = "Convex Alerts"
LONGEST_SUBJECT: Final = 200
SEVEN_BITS: Final = "quoted-printable"
"""On the way, so that servers without 8BITMIME take it as well."""


class _Subject(UniqueUnstructuredHeader, BaseHeader):  # type: ignore[misc]  # the registry makes the same of others
    """Written as one text in encoded words where it needs them.

    What an unstructured header does is to encode word by word and to lose spaces between those that it joins.
    """

    def fold(self, *, policy: Policy) -> str:
        told = str(self)
        if told.isascii() or (isinstance(policy, EmailPolicy) and policy.utf8):
            return super().fold(policy=policy)
        written = Header(told, "utf-8", policy.max_line_length, "Subject").encode(linesep=policy.linesep)
        return f"Subject: {written}{policy.linesep}"


_HEADERS: Final = HeaderRegistry()
_HEADERS.map_to_type("Subject", _Subject)
for _name in ("In-Reply-To", "References", "List-Id"):
    # Else long ones are folded as text is, by encoding them.
    _HEADERS.map_to_type(_name, MessageIDHeader)  # type: ignore[arg-type]  # mixed into BaseHeader by the registry


def letter(
    message: Message,
    destination: Destination,
    summary: Summary,
    *,
    sender: Mailbox,
    recipients: Sequence[Mailbox],
    text: str,
    html: str,
    utf8: bool,
) -> bytes:
    """The message as SMTP sends it; the same at every attempt of a delivery, and at every replay.

    `utf8` writes headers in UTF-8, as addresses of other scripts need and only servers with SMTPUTF8 take.
    """
    made = EmailMessage(policy.SMTP.clone(header_factory=_HEADERS, utf8=utf8))
    made["From"] = _address(sender, SENDER_NAME)
    made["To"] = tuple(_address(recipient) for recipient in recipients)
    made["Subject"] = subject(summary)
    made["Date"] = message.created_at.astimezone(dt.UTC)
    made["Message-ID"] = message_id(message, destination.channel_id, sender.domain)
    first = first_id(message, destination.channel_id, sender.domain)
    if first is not None and message.sequence > 1:
        made["In-Reply-To"] = first
        made["References"] = first
    made["List-Id"] = f"<{destination.channel_id}.{sender.domain}>"
    made["Auto-Submitted"] = "auto-generated"
    made["X-Auto-Response-Suppress"] = "All"
    if summary.tone == "critical":
        made["Importance"] = "high"
    for name, value in _ids(message, destination, summary):
        made[f"X-Convex-{name}"] = value
    made.set_content(text, cte=SEVEN_BITS)
    made.add_alternative(html, subtype="html", cte=SEVEN_BITS)
    for part in made.iter_parts():
        del part["MIME-Version"]  # said of the whole
    made.set_boundary(f"=_{message.delivery_id.hex}")
    return made.as_bytes()


def subject(summary: Summary) -> str:
    """`[Critical] title`: in brackets, which clients leave out when they compare subjects (RFC 5256), what changes.

    A title that reads as an encoded word (RFC 2047) must not become one: decoded, it could hold the end of a line.
    """
    told = f"[{summary.tag}] {summary.title}".replace("=?", "= ?")
    return told if len(told) <= LONGEST_SUBJECT else told[: LONGEST_SUBJECT - 1].rstrip() + "…"


def message_id(message: Message, channel_id: uuid.UUID, domain: str) -> str:
    """Of the notification on this channel; the first of an alert's has an id that the later ones can name."""
    first = first_id(message, channel_id, domain)
    if first is not None and message.sequence == 1:
        return first
    return _id(channel_id, f"notification {message.notification_id}", domain)


def first_id(message: Message, channel_id: uuid.UUID, domain: str) -> str | None:
    """The id of the alert's first notification on this channel, which all others refer to.

    A channel that hears of an alert only later refers to one that it never got, and its e-mails are a thread as well.
    """
    return None if message.alert_id is None else _id(channel_id, f"alert {message.alert_id}", domain)


def _id(channel_id: uuid.UUID, name: str, domain: str) -> str:
    return f"<{uuid.uuid5(channel_id, name).hex}@{domain}>"


def _ids(message: Message, destination: Destination, summary: Summary) -> list[tuple[str, str]]:
    named = [
        ("Workspace-Id", message.workspace_id),
        ("Channel-Id", destination.channel_id),
        ("Alert-Id", message.alert_id),
        ("Notification-Id", message.notification_id),
        ("Delivery-Id", message.delivery_id),
        ("Cause", message.cause),
        ("Severity", summary.severity),
    ]
    return [(name, str(value)) for name, value in named if value is not None]


def _address(mailbox: Mailbox, name: str = "") -> Address:
    return Address(name, mailbox.local, mailbox.domain)
