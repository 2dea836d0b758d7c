"""What the commands have in common: the owner's connection, and errors told in one line."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import typer

from convex_admin import database
from convex_common.errors import ConvexError, NotFound
from convex_common.postgres.database import Connection
from convex_common.postgres.urls import plain


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace by its names."""

    id: uuid.UUID
    slug: str


@contextmanager
def told() -> Iterator[None]:
    """One line on stderr and exit code 2 for what is wrong."""
    try:
        yield
    except (ConvexError, psycopg.Error) as error:
        typer.echo(next(iter(str(error).strip().splitlines()), type(error).__name__), err=True)
        raise typer.Exit(2) from None


def owner_url() -> str:
    """Of the role that owns the tables, in libpq's spelling. SettingsError."""
    return plain(database.owner_url())


def connect(*, autocommit: bool = False) -> Connection:
    """The owner's connection."""
    return psycopg.connect(owner_url(), autocommit=autocommit, application_name="convex-admin")


def workspaces(connection: Connection, slug: str | None = None) -> list[Workspace]:
    """All of them, or the one that is called so. NotFound."""
    found = connection.execute(
        "SELECT id, slug FROM workspaces WHERE %s::text IS NULL OR slug = %s ORDER BY slug", (slug, slug)
    ).fetchall()
    if slug is not None and not found:
        raise NotFound(f"{slug}: there is no such workspace", cure="give its short name, as in GET /api/v1/me")
    return [Workspace(*row) for row in found]


def work_for(connection: Connection, workspace_id: uuid.UUID) -> None:
    """The transaction works for this workspace from here on."""
    connection.execute("SELECT set_config('app.workspace_id', %s, true)", (str(workspace_id),))
