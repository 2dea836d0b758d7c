"""The audit log as rows: acts are recorded by the transaction that does them, and by nothing else.

A workspace's chain is serial: who records holds its head until the commit. Record last in a transaction, and where it
takes offsets of the feed, right before those; then no two transactions wait for one another.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.domain.audit import Act, Head, Record
from convex_common.postgres.database import Connection
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
