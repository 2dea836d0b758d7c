"""Reading alerts for people: lists with filters, one, and its timeline; with the feed's position of the same moment."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, Text, cast, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.domain.alert import Alert
from convex_common.postgres.alert_rows import COLUMNS, alert_of
from convex_common.postgres.tables import alerts, workspace_feed


@dataclass(frozen=True, slots=True)
class Position:
    """Where a workspace's live feed stands: its last offset within an epoch."""

    epoch: uuid.UUID
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which alerts; an empty tuple or None asks for nothing in particular."""

    framework_id: uuid.UUID | None = None
    statuses: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    alert_type: str | None = None
    since: dt.datetime | None = None
    assigned_to: str | None = None
    text: str | None = None

    def spelled(self) -> str:
        """The filter in words that are the same for what asks for the same, and different otherwise."""
        since = self.since.astimezone(dt.UTC).isoformat() if self.since else None
        statuses, severities = (",".join(sorted({*each})) for each in (self.statuses, self.severities))
        asked = (str(self.framework_id), statuses, severities, self.alert_type, since, self.assigned_to)
        return repr((*asked, self.text or None))

    def conditions(self) -> list[ColumnElement[bool]]:
        """As SQL."""
        found: list[ColumnElement[bool]] = []
        if self.framework_id is not None:
            found.append(alerts.c.framework_id == self.framework_id)
        if self.statuses:
            found.append(alerts.c.status.in_(self.statuses))
        if self.severities:
            found.append(alerts.c.severity.in_(self.severities))
        if self.alert_type is not None:
            found.append(alerts.c.alert_type == self.alert_type)
        if self.since is not None:
            found.append(alerts.c.triggered_at >= self.since)
        if self.assigned_to is not None:
            found.append(alerts.c.assigned_to == self.assigned_to)
        if self.text:
            searched = (alerts.c.title, alerts.c.rule_name, cast(alerts.c.labels, Text))
            found.append(or_(*(column.icontains(self.text, autoescape=True) for column in searched)))
        return found


async def page(
    connection: AsyncConnection, workspace_id: uuid.UUID, wanted: Filter, *, before: uuid.UUID | None, count: int
) -> tuple[Sequence[Alert], Position]:
    """Up to `count` alerts, the newest first, from those made before the alert `before`.

    One statement, so one snapshot: whatever is past the position is not in the list yet, and the other way round.
    """
    query = _columns().where(alerts.c.workspace_id == workspace_id, *wanted.conditions())
    if before is not None:
        query = query.where(alerts.c.id < before)
    listed = query.order_by(alerts.c.id.desc()).limit(count).subquery("listed")
    statement = (
        select(workspace_feed.c.epoch, workspace_feed.c.next_offset, listed)
        .select_from(workspace_feed.outerjoin(listed, true()))
        .where(workspace_feed.c.workspace_id == workspace_id)
        .order_by(listed.c.id.desc())
    )
    rows = (await connection.execute(statement)).all()
    found = [alert_of(row[2:]) for row in rows if row[2] is not None]
    return found, Position(rows[0][0], rows[0][1] - 1)


async def find(connection: AsyncConnection, workspace_id: uuid.UUID, alert_id: uuid.UUID) -> Alert | None:
    """One alert, or None."""
    query = _columns().where(alerts.c.workspace_id == workspace_id, alerts.c.id == alert_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else alert_of(row)


async def these(
    connection: AsyncConnection, workspace_id: uuid.UUID, alert_ids: Sequence[uuid.UUID]
) -> Sequence[Alert]:
    """The alerts with these ids, the newest first."""
    query = _columns().where(alerts.c.workspace_id == workspace_id, alerts.c.id.in_(alert_ids))
    return [alert_of(row) for row in await connection.execute(query.order_by(alerts.c.id.desc()))]


def _columns() -> Select[tuple[object, ...]]:
    return select(*(alerts.c[name] for name in COLUMNS))
