"""The webhook that receivers see: its body, and its headers by Standard Webhooks (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import uuid

import msgspec

from convex_common.errors import Invalid
from convex_notifier.domain.message import Message

PREFIX = "whsec_"
TYPES = {
    "fired": "alert.fired",
    "reminder": "alert.reminder",
    "escalation": "alert.escalated",
    "resolved": "alert.resolved",
    "test": "test",
}


def body(message: Message) -> bytes:
    """The JSON body; the same at every attempt of a delivery."""
    return msgspec.json.encode(
        {
            "type": TYPES.get(message.cause, f"alert.{message.cause}"),
            "timestamp": message.created_at.astimezone(dt.UTC),
            "data": {
                "alert": msgspec.Raw(message.alert),
                "notification": {
                    "id": message.notification_id,
                    "cause": message.cause,
                    "sequence": message.sequence,
                    "reason": message.reason,
                },
            },
        }
    )


def headers(delivery_id: uuid.UUID, content: bytes, secret: str | None, now: dt.datetime) -> dict[str, str]:
    """webhook-id (the delivery's at every attempt and replay), webhook-timestamp (this attempt's), webhook-signature.

    Raises Invalid where the secret is none; without one there is no signature.
    """
    timestamp = str(int(now.timestamp()))
    named = {"webhook-id": str(delivery_id), "webhook-timestamp": timestamp}
    if secret is not None:
        signed = b"%b.%b.%b" % (str(delivery_id).encode(), timestamp.encode(), content)
        digest = hmac.digest(_key(secret), signed, hashlib.sha256)
        named["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return named


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("config.secret", "is not base64 after whsec_", cure="give the channel a new secret") from None
