"""A person's in-app inbox."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.postgres.tables import user_notifications


@dataclass(frozen=True, slots=True)
class InAppNotification:
    """One notification to one person; `data` is the alert's JSON as it was then."""

    id: uuid.UUID
    notification_id: uuid.UUID
    alert_id: uuid.UUID | None
    cause: str
    title: str
    data: bytes
    created_at: dt.datetime
    read_at: dt.datetime | None


_COLUMNS = [user_notifications.c[name] for name in InAppNotification.__dataclass_fields__]


async def page(
    connection: AsyncConnection,
    workspace_id: uuid.UUID,
    user_id: str,
    *,
    unread: bool | None,
    before: uuid.UUID | None,
    count: int,
) -> Sequence[InAppNotification]:
    """Up to `count` of a person's notifications, the newest first; `unread` None asks for both kinds."""
    columns = user_notifications.c
    query = select(*_COLUMNS).where(columns.workspace_id == workspace_id, columns.user_id == user_id)
    if unread is not None:
        query = query.where(columns.read_at.is_(None) if unread else columns.read_at.is_not(None))
    if before is not None:
        query = query.where(columns.id < before)
    rows = await connection.execute(query.order_by(columns.id.desc()).limit(count))
    return [InAppNotification(*row) for row in rows]


async def read(
    connection: AsyncConnection, workspace_id: uuid.UUID, user_id: str, either_id: uuid.UUID
) -> InAppNotification | None:
    """Mark one as read, by its own id or the notification's, which live frames have; the first time counts.

    None where the person has none of this id.
    """
    columns = user_notifications.c
    statement = (
        update(user_notifications)
        .where(
            columns.workspace_id == workspace_id,
            columns.user_id == user_id,
            or_(columns.id == either_id, columns.notification_id == either_id),
        )
        .values(read_at=func.coalesce(columns.read_at, func.now()))
        .returning(*_COLUMNS)
    )
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else InAppNotification(*row)
