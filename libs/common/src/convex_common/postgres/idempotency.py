"""First answers, kept for a day by the transactions that made them, so that a repeated request gets them again."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.errors import InFlight
from convex_common.postgres.database import Connection

BATCH: Final = 1000

_CLAIM: Final = text("SELECT claimed, request, answer FROM claim_idempotency_key(:workspace, :scope)")
_KEEP: Final = text("SELECT keep_idempotency_keys(:workspace, ARRAY[:scope], ARRAY[:request], ARRAY[:answer])")
_KEEP_NOW: Final = "SELECT keep_idempotency_keys(%b, ARRAY[%b::bytea], ARRAY[%b::bytea], ARRAY[%b::bytea])"
_FIND: Final = text(
    "SELECT request, answer FROM idempotency_keys WHERE workspace_id = :workspace AND scope = :scope "
    "AND created_at > now() - interval '24 hours'"
)


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as stored, and the digest of the request that it answered."""

    request: bytes
    answer: bytes


async def claim(connection: AsyncConnection, workspace_id: uuid.UUID, scope: bytes) -> Kept | None:
    """The answer that there is; None: it is the caller's to make until its transaction ends, however that ends.

    InFlight where another transaction is making it.
    """
    row = (await connection.execute(_CLAIM, {"workspace": workspace_id, "scope": scope})).one()
    if row.request is not None:
        return Kept(row.request, row.answer)
    if not row.claimed:
        raise InFlight
    return None


async def find(connection: AsyncConnection, workspace_id: uuid.UUID, scope: bytes) -> Kept | None:
    """The answer that there is, whoever else is at work."""
    row = (await connection.execute(_FIND, {"workspace": workspace_id, "scope": scope})).one_or_none()
    return None if row is None else Kept(row.request, row.answer)


async def keep(
    connection: AsyncConnection, workspace_id: uuid.UUID, scope: bytes, request: bytes, answer: bytes
) -> bool:
    """Store the answer with the rest of the transaction; False where somebody was quicker."""
    values = {"workspace": workspace_id, "scope": scope, "request": request, "answer": answer}
    late: list[int] = (await connection.execute(_KEEP, values)).scalar_one()
    return not late


def keep_now(connection: Connection, workspace_id: uuid.UUID, scope: bytes, request: bytes, answer: bytes) -> None:
    """The same for threads; InFlight where somebody was quicker, so that the transaction is undone."""
    row = connection.execute(_KEEP_NOW, (workspace_id, scope, request, answer)).fetchone()
    if row is None or row[0]:
        raise InFlight


def delete_expired(connection: Connection, most: int = BATCH) -> int:
    """Delete up to `most` answers that are older than a day, of all workspaces; how many went."""
    row = connection.execute("SELECT delete_idempotency_keys(%s)", (most,)).fetchone()
    return int(row[0]) if row else 0
