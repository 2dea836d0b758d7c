"""In-app notifications on the live feed."""

from __future__ import annotations

import datetime as dt
import uuid

import msgspec

from convex_common.feed import notification_frame


def frame(
    notification_id: uuid.UUID,
    alert_id: uuid.UUID | None,
    cause: str,
    title: str,
    alert: bytes,
    created_at: dt.datetime,
) -> bytes:
    """As in the inbox, without what differs between people: the row's id and whether it was read."""
    return notification_frame(
        msgspec.json.encode(
            {
                "notification_id": notification_id,
                "alert_id": alert_id,
                "cause": cause,
                "title": title,
                "data": msgspec.Raw(alert),
                "created_at": created_at.astimezone(dt.UTC),
            }
        )
    )
