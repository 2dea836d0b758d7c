"""Patterns as rows, for those who look at them and decide; analytics finds and stores them."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from sqlalchemy import Row, Select, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.postgres.tables import patterns


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern as stored."""

    id: uuid.UUID
    kind: str
    status: str
    framework_id: uuid.UUID
    rule_id: uuid.UUID | None
    rule_name: str
    lead_framework_id: uuid.UUID | None
    lead_rule_id: uuid.UUID | None
    lead_rule_name: str | None
    confidence: int
    occurrences: int
    evidence: Mapping[str, Any]
    recommendation: Mapping[str, Any]
    first_found_at: dt.datetime
    last_found_at: dt.datetime
    ended_at: dt.datetime | None
    decided_by: str | None
    decided_at: dt.datetime | None
    applied: Mapping[str, Any] | None


_NAMES: Final = [field.name for field in fields(Pattern)]
_COLUMNS: Final = [patterns.c[name] for name in _NAMES]


async def page(
    connection: AsyncConnection,
    workspace_id: uuid.UUID,
    *,
    where: Mapping[str, Any],
    least_confidence: int,
    before: uuid.UUID | None,
    count: int,
) -> Sequence[Pattern]:
    """Up to `count` patterns, those first found last first; `where` are columns and their values."""
    query = _select(workspace_id).where(patterns.c.confidence >= least_confidence)
    for name, value in where.items():
        query = query.where(patterns.c[name] == value)
    if before is not None:
        query = query.where(patterns.c.id < before)
    return [_of(row) for row in await connection.execute(query.order_by(patterns.c.id.desc()).limit(count))]


async def find(
    connection: AsyncConnection, workspace_id: uuid.UUID, pattern_id: uuid.UUID, *, to_decide: bool = False
) -> Pattern | None:
    """The pattern, or None; `to_decide` keeps everybody else from deciding meanwhile."""
    query = _select(workspace_id).where(patterns.c.id == pattern_id)
    row = (await connection.execute(query.with_for_update() if to_decide else query)).one_or_none()
    return None if row is None else _of(row)


async def decide(
    connection: AsyncConnection,
    workspace_id: uuid.UUID,
    pattern_id: uuid.UUID,
    status: str,
    by: str,
    applied: Mapping[str, Any] | None = None,
) -> Pattern:
    """The pattern after somebody applied or dismissed it. Raise the version of patterns with it."""
    changed = update(patterns).where(patterns.c.workspace_id == workspace_id, patterns.c.id == pattern_id)
    values = {"status": status, "decided_by": by, "decided_at": text("now()"), "applied": applied}
    row = (await connection.execute(changed.values(values).returning(*_COLUMNS))).one()
    return _of(row)


def _select(workspace_id: uuid.UUID) -> Select[Any]:
    return select(*_COLUMNS).where(patterns.c.workspace_id == workspace_id)


def _of(row: Row[Any]) -> Pattern:
    return Pattern(**dict(zip(_NAMES, row, strict=True)))
