"""Brings the database to where the services can start: the newest schema, partitions ahead, the workspace `demo`."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from convex_dev.home import Home
from convex_dev.stores.postgres import EmbeddedPostgres
from convex_dev.supervisor import run_once, say

FILE = "schema.json"


def preparation(
    home: Home, owner_url: str, env: Mapping[str, str], embedded: EmbeddedPostgres | None
) -> Callable[[], Awaitable[None]]:
    """The step between stores and services.

    `env` holds DATABASE_OWNER_URL and DATABASE_URL. Loading the migration tool takes longer than all the rest, so it
    is left out where this very database was brought to this very schema before.
    """

    async def prepare() -> None:
        if embedded:
            await asyncio.to_thread(embedded.provision)
        if embedded is None or not await asyncio.to_thread(_is_current, home, owner_url):
            say("migrating the database")
            migrate = (sys.executable, "-m", "convex_common.postgres.migrate", "upgrade")
            await run_once("migrate", migrate, env, home)
            if embedded:
                await asyncio.to_thread(_remember, home, owner_url)
        await asyncio.to_thread(_seed, owner_url)

    return prepare


def _is_current(home: Home, owner_url: str) -> bool:
    import psycopg

    try:
        return home.read(FILE) == _fingerprint(owner_url)
    except psycopg.Error:
        return False


def _remember(home: Home, owner_url: str) -> None:
    home.write(FILE, _fingerprint(owner_url))


def _fingerprint(owner_url: str) -> dict[str, str]:
    """Which database this is, its revision, and the code that defines what revisions mean."""
    import psycopg

    import convex_common

    with psycopg.connect(owner_url) as connection:
        found = connection.execute(
            "SELECT system_identifier::text, (SELECT max(version_num) FROM alembic_version) FROM pg_control_system()"
        ).fetchone()
    assert found is not None
    digest = hashlib.sha256()
    code = (Path(convex_common.__path__[0]) / "postgres").rglob("*")
    for file in sorted(file for file in code if file.suffix in (".py", ".sql")):
        digest.update(file.read_bytes())
    return {"database": str(found[0]), "revision": str(found[1]), "code": digest.hexdigest()}


def _seed(owner_url: str) -> None:
    import psycopg

    from convex_common.postgres import bootstrap, partitions
    from convex_common.postgres.urls import plain

    bootstrap.ensure_workspace(owner_url, slug="demo", name="Demo", owner_user="demo-owner")
    with psycopg.connect(plain(owner_url), autocommit=True) as owner:
        partitions.make_ahead(owner, dt.datetime.now(dt.UTC))
