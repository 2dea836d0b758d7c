"""The audit log as rows: acts are recorded by the transaction that does them, and by nothing else.

A workspace's chain is serial: who records holds its head until the commit. Record last in a transaction, and where it
takes offsets of the feed, right before those; then no two transactions wait for one another.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.domain.audit import Act, Head, Record
from convex_common.postgres.database import Connection
from convex_common.postgres.tables import audit_log
from convex_common.tracing import current_trace_id

APPEND = (
    "SELECT audit_append(%(workspace)s, %(actors)s::text[], %(actions)s::text[], %(subjects)s::text[], "
    "%(details)s::text[], %(trace_ids)s::text[])"
)
ASYNC_APPEND = text(
    "SELECT audit_append(:workspace, CAST(:actors AS text[]), CAST(:actions AS text[]), CAST(:subjects AS text[]), "
    "CAST(:details AS text[]), CAST(:trace_ids AS text[]))"
)
CHAIN = """SELECT workspace_id, sequence, at, actor, action, subject, detail::text, trace_id, previous_hash, hash
FROM audit_log WHERE workspace_id = %s ORDER BY sequence"""
HEAD = "SELECT sequence, hash FROM audit_head WHERE workspace_id = %s"
AT_ONCE = 1000

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as it is told; its hashes in hexadecimal."""

    sequence: int
    at: dt.datetime
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    trace_id: str | None
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which records; None is any."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None


async def page(
    connection: AsyncConnection, workspace_id: uuid.UUID, wanted: Filter, *, before: int | None, count: int
) -> Sequence[Entry]:
    """Up to `count` records, the newest first, from before a sequence."""
    columns = audit_log.c
    query = select(
        columns.sequence,
        columns.at,
        columns.actor,
        columns.action,
        columns.subject,
        columns.detail,
        columns.trace_id,
        columns.previous_hash,
        columns.hash,
    ).where(columns.workspace_id == workspace_id)
    for column, value in (
        (columns.actor, wanted.actor),
        (columns.action, wanted.action),
        (columns.subject, wanted.subject),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.since is not None:
        query = query.where(columns.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(columns.at < wanted.until)
    if before is not None:
        query = query.where(columns.sequence < before)
    rows = await connection.execute(query.order_by(columns.sequence.desc()).limit(count))
    return [Entry(*row[:-2], row.previous_hash.hex(), row.hash.hex()) for row in rows]


async def record(connection: AsyncConnection, workspace_id: uuid.UUID, *acts: Act) -> None:
    """Record the acts in the transaction that did them."""
    if acts:
        await connection.execute(ASYNC_APPEND, _parameters(workspace_id, acts))


def record_now(connection: Connection, workspace_id: uuid.UUID, *acts: Act) -> None:
    """The same for a thread's connection; its transaction works for the workspace."""
    if acts:
        connection.execute(APPEND, _parameters(workspace_id, acts))


def head(connection: Connection, workspace_id: uuid.UUID) -> Head | None:
    """Where the workspace's chain stands; None where nothing was ever recorded."""
    row = connection.execute(HEAD, (workspace_id,)).fetchone()
    return None if row is None else Head(*row)


def chain(connection: Connection, workspace_id: uuid.UUID) -> Iterator[Record]:
    """The workspace's records in order, some at a time; within a transaction."""
    with connection.cursor(name="audit_chain") as cursor:
        cursor.itersize = AT_ONCE
        cursor.execute(CHAIN, (workspace_id,))
        for row in cursor:
            yield Record(*row)


def _parameters(workspace_id: uuid.UUID, acts: Sequence[Act]) -> dict[str, Any]:
    trace_id = current_trace_id()
    return {
        "workspace": workspace_id,
        "actors": [act.actor for act in acts],
        "actions": [act.action for act in acts],
        "subjects": [act.subject for act in acts],
        "details": [_encode(act.detail).decode() for act in acts],
        "trace_ids": [act.trace_id or trace_id for act in acts],
    }
