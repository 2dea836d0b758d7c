"""Migrations from the command line: `python -m convex_common.postgres.migrate upgrade|check`.

Uses DATABASE_OWNER_URL. Where DATABASE_URL names another role, that role is made a member of convex_service.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import create_engine

from convex_common.errors import ConvexError, SettingsError
from convex_common.postgres.partitions import LOCK, make_ahead
from convex_common.postgres.urls import plain, sqlalchemy_url


def upgrade(owner_url: str, service_user: str | None = None, revision: str = "head") -> None:
    """Bring the schema to the newest revision, make partitions ahead, let `service_user` in. Safe to run twice.

    An earlier `revision` is for a back-up of that time, which is loaded before the schema goes on.
    """
    engine = create_engine(sqlalchemy_url(owner_url))
    try:
        with engine.connect() as lock:
            lock.exec_driver_sql(f"SELECT pg_advisory_lock({LOCK})")
            with engine.begin() as connection:
                config = _config()
                config.attributes["connection"] = connection
                command.upgrade(config, revision)
            with psycopg.connect(plain(owner_url), autocommit=True) as owner:
                make_ahead(owner, dt.datetime.now(dt.UTC))
                if service_user:
                    _admit(owner, service_user)
            lock.exec_driver_sql(f"SELECT pg_advisory_unlock({LOCK})")
    finally:
        engine.dispose()


def at_head(owner_url: str) -> bool:
    """Whether the schema is of the newest revision; works with any role that can connect."""
    engine = create_engine(sqlalchemy_url(owner_url))
    try:
        with engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
    return current == ScriptDirectory.from_config(_config()).get_current_head()


def knows(revision: str) -> bool:
    """Whether it is one of this code's revisions, not of a newer one's."""
    return revision in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def _admit(owner: psycopg.Connection[tuple[object, ...]], service_user: str) -> None:
    current = owner.execute("SELECT current_user").fetchone()
    if current is None or current[0] == service_user:
        raise SettingsError(
            "DATABASE_URL: the services must not connect as the owner of the tables; give them a role of their own"
        )
    member = owner.execute("SELECT pg_has_role(%s, 'convex_service', 'MEMBER')", (service_user,)).fetchone()
    if member is None or not member[0]:
        owner.execute(sql.SQL("GRANT convex_service TO {}").format(sql.Identifier(service_user)))
    owner.execute(sql.SQL("GRANT SELECT ON alembic_version TO convex_service"))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def main(arguments: list[str] | None = None) -> int:
    """`upgrade` migrates; `check [--wait SECONDS]` exits 0 once the schema is current, 1 otherwise."""
    words = sys.argv[1:] if arguments is None else arguments
    owner_url = os.environ.get("DATABASE_OWNER_URL") or os.environ.get("DATABASE_URL")
    service_url = os.environ.get("DATABASE_URL")
    if not owner_url:
        sys.stderr.write("DATABASE_OWNER_URL: missing; set it to the URL of the role that owns the tables\n")
        return 2
    try:
        if words[:1] == ["upgrade"]:
            upgrade(owner_url, urlsplit(service_url).username if service_url else None)
            return 0
        if words[:1] == ["check"]:
            return _check(owner_url, float(words[2]) if words[1:2] == ["--wait"] else 0.0)
    except ConvexError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stderr.write("usage: python -m convex_common.postgres.migrate upgrade | check [--wait SECONDS]\n")
    return 2


def _check(owner_url: str, wait: float) -> int:
    deadline = time.monotonic() + wait
    while True:
        try:
            if at_head(owner_url):
                return 0
            message = "the schema is not current: run the migration"
        except Exception as error:
            message = str(error).splitlines()[0]
        if time.monotonic() >= deadline:
            sys.stderr.write(f"{message}\n")
            return 1
        time.sleep(1.0)


if __name__ == "__main__":
    sys.exit(main())
