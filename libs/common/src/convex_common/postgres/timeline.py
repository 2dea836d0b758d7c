"""An alert's timeline: its log, who was told and on which channels, and every attempt, merged in time."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.ids import floor, milliseconds
from convex_common.postgres.alerts_query import Position

CLOCKS_APART_MS = 3_600_000
"""How far an id's clock may be from another's; older partitions than that are not looked into."""

ENTRIES = text(
    """
WITH entries AS (
    SELECT l.at, l.id, jsonb_build_object('kind', 'log', 'id', l.id, 'event', l.event, 'reason', l.reason,
        'count', l.count, 'actor', l.actor, 'event_ids', to_jsonb(l.event_ids), 'offset', l."offset",
        'trace_id', nullif(split_part(l.traceparent, '-', 2), ''),
        'detail', convert_from(l.detail, 'UTF8')::jsonb) AS entry
    FROM alert_log l WHERE l.workspace_id = :workspace AND l.alert_id = :alert AND l.id >= :oldest
      AND (l.at, l.id) > (:at, :after)
    UNION ALL
    SELECT n.created_at, n.id, jsonb_build_object('kind', 'notification', 'id', n.id, 'cause', n.cause,
        'sequence', n.sequence, 'reason', n.reason, 'deliveries', coalesce((
            SELECT jsonb_agg(jsonb_build_object('id', d.id, 'channel_id', d.channel_id, 'channel_name', c.name,
                'channel_kind', c.kind, 'status', d.status) ORDER BY d.id)
            FROM deliveries d JOIN channels c ON c.workspace_id = d.workspace_id AND c.id = d.channel_id
            WHERE d.workspace_id = n.workspace_id AND d.notification_id = n.id), '[]'))
    FROM notifications n WHERE n.workspace_id = :workspace AND n.alert_id = :alert
      AND (n.created_at, n.id) > (:at, :after)
    UNION ALL
    SELECT t.started_at, t.id, jsonb_build_object('kind', 'attempt', 'id', t.id, 'delivery_id', d.id,
        'channel_id', d.channel_id, 'channel_name', c.name, 'channel_kind', c.kind, 'number', t.number,
        'outcome', t.outcome, 'status_code', t.status_code, 'error', t.error, 'duration_ms', t.duration_ms,
        'trace_id', nullif(split_part(d.traceparent, '-', 2), ''))
    FROM deliveries d JOIN channels c ON c.workspace_id = d.workspace_id AND c.id = d.channel_id
    JOIN attempts t ON t.workspace_id = d.workspace_id AND t.delivery_id = d.id AND t.id >= :oldest
    WHERE d.workspace_id = :workspace AND d.alert_id = :alert AND (t.started_at, t.id) > (:at, :after)),
listed AS (SELECT * FROM entries ORDER BY at, id LIMIT :count)
SELECT f.epoch, f.next_offset - 1, e.at, e.id, e.entry::text
FROM workspace_feed f LEFT JOIN listed e ON true WHERE f.workspace_id = :workspace ORDER BY e.at, e.id
"""
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened; `entry` is its JSON but for the time."""

    at: dt.datetime
    id: uuid.UUID
    entry: str


async def page(
    connection: AsyncConnection,
    workspace_id: uuid.UUID,
    alert_id: uuid.UUID,
    *,
    after: tuple[dt.datetime, uuid.UUID] | None,
    count: int,
) -> tuple[Sequence[Entry], Position]:
    """Up to `count` entries after a time and id, the oldest first, and the feed's position in the same snapshot."""
    at, after_id = after or (dt.datetime(1970, 1, 1, tzinfo=dt.UTC), uuid.UUID(int=0))
    found = await connection.execute(
        ENTRIES,
        {
            "workspace": workspace_id,
            "alert": alert_id,
            "oldest": floor(max(0, milliseconds(alert_id) - CLOCKS_APART_MS)),
            "at": at,
            "after": after_id,
            "count": count,
        },
    )
    rows = found.all()
    return [Entry(*row[2:]) for row in rows if row[2] is not None], Position(rows[0][0], rows[0][1])
