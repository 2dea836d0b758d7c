"""The caller's in-app inbox."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from typing import Any

import msgspec
from starlette.responses import Response

from convex_common.domain.role import Role
from convex_common.errors import NotFound
from convex_common.postgres import notifications as rows
from convex_gateway.operations import Authorized, Resource
from convex_gateway.pagination import PageAsked, cursor_of, cut
from convex_gateway.shapes.people import Notification, NotificationPage

resource = Resource("notifications")


@resource.operation("GET", "/notifications", role=Role.VIEWER, answer=NotificationPage)
async def list_notifications(call: Authorized, asked: PageAsked, unread: bool | None = None) -> Response:
    """List the caller's in-app notifications, the newest first."""
    async with call.transaction() as connection:
        found = await rows.page(
            connection,
            call.workspace_id,
            call.principal.user_id,
            unread=unread,
            before=asked.after,
            count=asked.limit + 1,
        )
    items, last = cut(found, asked.limit)
    return _json({"items": [_told(item) for item in items], "next_cursor": cursor_of(last.id if last else None)})


@resource.operation("POST", "/notifications/{notification_id}/read", role=Role.VIEWER, answer=Notification)
async def read_notification(call: Authorized, notification_id: uuid.UUID) -> Response:
    """Mark one of the caller's in-app notifications as read.

    By its `id`, or by its `notification_id`, which is what live frames carry.
    """
    async with call.transaction() as connection:
        notification = await rows.read(connection, call.workspace_id, call.principal.user_id, notification_id)
    if notification is None:
        raise NotFound("you have no such notification")
    return _json(_told(notification))


def _told(notification: rows.InAppNotification) -> dict[str, Any]:
    return {**asdict(notification), "data": msgspec.Raw(notification.data)}


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
