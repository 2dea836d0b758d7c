"""Messages for tests."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from convex_notifier.domain.message import Message

_DEFAULTS: dict[str, Any] = {
    "workspace_id": uuid.UUID(int=1),
    "delivery_id": uuid.UUID(int=2),
    "notification_id": uuid.UUID(int=3),
    "alert_id": uuid.UUID(int=4),
    "cause": "fired",
    "sequence": 1,
    "reason": "first_trigger",
    "alert": b'{"title":"slow"}',
    "created_at": dt.datetime(2026, 3, 1, 13, 0, tzinfo=dt.timezone(dt.timedelta(hours=1))),
}


def a_message(**fields: Any) -> Message:
    """A firing, unless told otherwise."""
    return Message(**{**_DEFAULTS, **fields})
