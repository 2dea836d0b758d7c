"""Rules as rows, for those who configure them; `configuration` has them as the domain wants them."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import any_, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.postgres import tables
from convex_common.postgres.configured import Configured

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as stored."""

    id: uuid.UUID
    framework_id: uuid.UUID
    name: str
    alert_type: str
    metric: str
    condition: str
    threshold_value: float | None
    change_percentage: float | None
    window_seconds: int | None
    aggregation: str | None
    for_seconds: int
    clear_value: float | None
    sensitivity: float | None
    horizon_seconds: int | None
    probability: float | None
    heeds_verdicts: bool | None
    raised: Mapping[str, Any] | None
    suppression_seconds: int
    severity: str
    labels: Mapping[str, str]
    channel_ids: Sequence[uuid.UUID] | None
    enabled: bool
    created_at: dt.datetime
    updated_at: dt.datetime

    @property
    def version(self) -> int:
        """Another one after every change: the microsecond of the last, which stays the same in a restored database."""
        return (self.updated_at - _EPOCH) // dt.timedelta(microseconds=1)


rules = Configured(tables.rules, Rule)


async def names_of_users(
    connection: AsyncConnection, workspace_id: uuid.UUID, channel_id: uuid.UUID, most: int = 3
) -> list[str]:
    """The names of up to `most` rules that send to a channel by its id."""
    table = tables.rules
    query = select(table.c.name).where(
        table.c.workspace_id == workspace_id,
        table.c.deleted_at.is_(None),
        literal(channel_id) == any_(table.c.channel_ids),
    )
    return list((await connection.execute(query.order_by(table.c.id).limit(most))).scalars())
