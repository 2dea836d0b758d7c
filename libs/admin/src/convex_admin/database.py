"""The installation's database, as its owner: a connection, a workspace of it, and what is recorded of what is done."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.domain.audit import Act
from convex_common.errors import NotFound, SettingsError
from convex_common.postgres import audit
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.postgres.bootstrap import OPERATOR
from convex_common.postgres.database import Connection
from convex_common.postgres.urls import PREFIXES, plain

_APPLICATION = "convex-admin"
_CURE = "set DATABASE_OWNER_URL=postgresql://OWNER:PASSWORD@HOST:5432/NAME, the URL of the role that owns the tables"


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace by its names."""

    id: uuid.UUID
    slug: str
    name: str = ""


def owner_url() -> str:
    """Of the role that owns the tables, in libpq's spelling. SettingsError where it is missing or none."""
    url = os.environ.get("DATABASE_OWNER_URL", "")
    if not url:
        raise SettingsError("DATABASE_OWNER_URL: is missing", cure=_CURE)
    if not url.startswith(PREFIXES):
        raise SettingsError("DATABASE_OWNER_URL: is no address that starts with postgresql://", cure=_CURE)
    return plain(url)


def connect(*, autocommit: bool = False) -> Connection:
    """The owner's connection."""
    return psycopg.connect(owner_url(), autocommit=autocommit, application_name=_APPLICATION)


def workspaces(connection: Connection, slug: str | None = None) -> list[Workspace]:
    """All of them by their short names, or the one that is called so. NotFound."""
    found = connection.execute(
        "SELECT id, slug, name FROM workspaces WHERE %s::text IS NULL OR slug = %s ORDER BY slug", (slug, slug)
    ).fetchall()
    if slug is not None and not found:
        raise NotFound(f"{slug}: there is no such workspace", cure="see `convex admin workspace list`")
    return [Workspace(*row) for row in found]


def work_for(connection: Connection, workspace_id: uuid.UUID) -> None:
    """The transaction works for this workspace from here on."""
    connection.execute("SELECT set_config('app.workspace_id', %s, true)", (str(workspace_id),))


def record(connection: Connection, workspace_id: uuid.UUID, action: str, **detail: object) -> None:
    """Record what is done to a workspace as a whole, last in its transaction."""
    audit.record_now(connection, workspace_id, Act(OPERATOR, action, f"workspace:{workspace_id}", detail))


@dataclass(frozen=True, slots=True)
class Place:
    """A transaction in one workspace, on the connection that the API's own statements take."""

    id: uuid.UUID
    connection: AsyncConnection

    async def audit(self, action: str, subject: str, **detail: object) -> None:
        """Record what is done here, last in the transaction."""
        await audit.record(self.connection, self.id, Act(OPERATOR, action, subject, detail))


@asynccontextmanager
async def in_workspace(slug: str) -> AsyncIterator[Place]:
    """A transaction for the workspace of this short name. NotFound, StoreUnavailable."""
    with connect() as connection:
        (workspace,) = workspaces(connection, slug)
    database = AsyncDatabase(owner_url(), _APPLICATION, size=1)
    try:
        async with database.transaction(workspace.id) as transaction:
            yield Place(workspace.id, transaction)
    finally:
        await database.close()
