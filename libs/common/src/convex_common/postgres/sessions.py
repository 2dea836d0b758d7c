"""Signed-in browsers. What a cookie holds is not in the database, only its digest."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import delete, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.postgres.tables import sessions

BATCH = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """A live session. `role` is the most that it may, `granted` what its member or API key may now."""

    workspace_id: uuid.UUID
    id: uuid.UUID
    user_id: str
    key_id: uuid.UUID | None
    role: str
    granted: str
    scopes: tuple[str, ...]
    operator: bool
    way: str
    subject: str | None
    email: str | None
    expires_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Draft:
    """A session to begin; `subject` and `email` are the OIDC provider's, the latter only where it is verified."""

    workspace_id: uuid.UUID
    id: uuid.UUID
    digest: bytes
    user_id: str
    key_id: uuid.UUID | None
    role: str
    operator: bool
    way: str
    subject: str | None
    email: str | None
    expires_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Membership:
    """Somebody in one workspace, under the id that they have there."""

    workspace_id: uuid.UUID
    slug: str
    name: str
    user_id: str
    role: str


async def find(connection: AsyncConnection, digest: bytes) -> Found | None:
    """The live session of a token's digest, in whatever workspace; its last use is noted every five minutes."""
    rows = await connection.execute(text("SELECT * FROM find_session(:digest)"), {"digest": digest})
    row = rows.mappings().one_or_none()
    return None if row is None else Found(**{**row, "scopes": tuple(row["scopes"])})


async def add(connection: AsyncConnection, draft: Draft) -> None:
    """Begin it."""
    values = {name: getattr(draft, name) for name in draft.__slots__}
    await connection.execute(insert(sessions).values(values))


async def remove(connection: AsyncConnection, workspace_id: uuid.UUID, session_id: uuid.UUID) -> bool:
    """End it; False where it had ended already."""
    query = delete(sessions).where(sessions.c.workspace_id == workspace_id, sessions.c.id == session_id)
    return bool((await connection.execute(query)).rowcount)


async def memberships_of(connection: AsyncConnection, subject: str, email: str | None) -> list[Membership]:
    """The workspaces of whom the provider vouches for, by their slugs; the subject counts before the address."""
    query = text("SELECT * FROM memberships_of(:subject, :email)")
    rows = await connection.execute(query, {"subject": subject, "email": email})
    return [Membership(*row) for row in rows]


def delete_expired(connection: psycopg.Connection[Any]) -> int:
    """Delete what has expired, in every workspace and in batches; how many there were."""
    total = 0
    while True:
        row = connection.execute("SELECT delete_expired_sessions(%s)", (BATCH,)).fetchone()
        connection.commit()
        assert row is not None
        deleted = int(row[0])
        total += deleted
        if deleted < BATCH:
            return total
