"""Frameworks as rows."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.postgres import tables
from convex_common.postgres.configured import Configured


@dataclass(frozen=True, slots=True)
class Framework:
    """A monitored scope inside a workspace; `source` is the tool whose alerts made it on first use."""

    id: uuid.UUID
    name: str
    description: str
    labels: Mapping[str, str]
    source: str | None
    created_at: dt.datetime
    updated_at: dt.datetime


frameworks = Configured(tables.frameworks, Framework)


async def delete_rules_of(
    connection: AsyncConnection, workspace_id: uuid.UUID, framework_id: uuid.UUID, now: dt.datetime
) -> None:
    """Its rules go with a framework."""
    rules = tables.rules
    await connection.execute(
        update(rules)
        .where(rules.c.workspace_id == workspace_id, rules.c.framework_id == framework_id, rules.c.deleted_at.is_(None))
        .values(deleted_at=now)
    )
