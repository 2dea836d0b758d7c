"""Migrations from the command line: `python -m convex_common.postgres.migrate upgrade|check`.

`check` is content with a newer schema that still suits this code, so that pods of the version before can start during
an upgrade and after a rollback. Uses DATABASE_OWNER_URL; where DATABASE_URL names another role, that role is made a
member of convex_service.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError

from convex_common.errors import ConvexError, SettingsError
from convex_common.exits import Exit
from convex_common.postgres.partitions import LOCK, LOCK_TIMEOUT, make_ahead
from convex_common.postgres.standing import Standing, note_oldest, noted_oldest, standing_of
from convex_common.postgres.urls import plain, sqlalchemy_url

PATIENCE = 600.0
"""Seconds for which a migration tries again where long transactions hold the tables that it changes."""

IN_THE_WAY = ("55P03", "40P01")
"""Nobody waits longer than LOCK_TIMEOUT for a lock; and whom the server picks to end a deadlock."""


class Outgrown(ConvexError):  # noqa: N818 - reads as a state
    """A newer version has migrated the schema and taken away what this one needs."""

    def __init__(self) -> None:
        super().__init__(
            "the schema is of a newer version and does not suit this one any more: install that version again, "
            "or restore a back-up from before its upgrade"
        )


def upgrade(owner_url: str, service_user: str | None = None, revision: str = "head") -> None:
    """Bring the schema to the newest revision, make partitions ahead, let `service_user` in. Safe to run twice.

    A schema that a newer version has migrated stays as it is; `Outgrown` where it does not suit this code any more.
    An earlier `revision` is for a back-up of that time, which is loaded before the schema goes on.
    """
    engine = create_engine(sqlalchemy_url(owner_url))
    try:
        with engine.connect() as lock:
            lock.exec_driver_sql(f"SELECT pg_advisory_lock({LOCK})")
            match standing(owner_url):
                case Standing.OUTGROWN:
                    raise Outgrown
                case Standing.AHEAD:
                    _say("a newer version has migrated this schema; it stays as it is")
                case Standing.CURRENT | Standing.BEHIND:
                    patiently(engine, lambda connection: _upgrade(connection, revision))
            with psycopg.connect(plain(owner_url), autocommit=True) as owner:
                make_ahead(owner, dt.datetime.now(dt.UTC))
                if service_user:
                    _admit(owner, service_user)
            lock.exec_driver_sql(f"SELECT pg_advisory_unlock({LOCK})")
    finally:
        engine.dispose()


def patiently(
    engine: Engine, change: Callable[[Connection], object], *, within: float = PATIENCE, timeout_ms: int = LOCK_TIMEOUT
) -> None:
    """Make a change in one transaction that never waits long for a lock: all who come later would wait behind it.

    Where a long query is in the way it is tried again, for `within` seconds.
    """
    deadline, told = time.monotonic() + within, False
    while True:
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{timeout_ms}ms'")
                change(connection)
        except (psycopg.OperationalError, DBAPIError) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            if getattr(cause, "sqlstate", None) not in IN_THE_WAY or time.monotonic() >= deadline:
                raise
            if not told:
                _say("the migration waits for a long transaction to end; the services go on meanwhile")
            told = True
            time.sleep(2 * timeout_ms / 1000)
        else:
            return


def standing(url: str) -> Standing:
    """How the database's schema compares with this code; works with any role that can connect."""
    scripts = ScriptDirectory.from_config(_config())
    engine = create_engine(sqlalchemy_url(url))
    try:
        with engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
            return standing_of(found, newest(), _revisions(scripts), noted_oldest(connection))
    finally:
        engine.dispose()


def newest() -> str:
    """This code's newest revision."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def knows(revision: str) -> bool:
    """Whether it is one of this code's revisions, not of a newer one's."""
    return revision in _revisions(ScriptDirectory.from_config(_config()))


def _upgrade(connection: Connection, revision: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    scripts = ScriptDirectory.from_config(config)
    reached = MigrationContext.configure(connection).get_current_revision()
    below = [script.module for script in scripts.walk_revisions("base", reached or "base")]
    if oldest := max((module.oldest for module in below if getattr(module, "oldest", None)), default=None):
        note_oldest(connection, oldest)


def _revisions(scripts: ScriptDirectory) -> set[str]:
    return {script.revision for script in scripts.walk_revisions()}


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
        _say("DATABASE_OWNER_URL: missing; set it to the URL of the role that owns the tables")
        return Exit.WRONG
    try:
        if words[:1] == ["upgrade"]:
            upgrade(owner_url, urlsplit(service_url).username if service_url else None)
            return Exit.DONE
        if words[:1] == ["check"]:
            return _check(owner_url, float(words[2]) if words[1:2] == ["--wait"] else 0.0)
    except Outgrown as error:
        _say(str(error))
        return Exit.FAILED
    except ConvexError as error:
        _say(str(error))
        return Exit.WRONG
    _say("usage: python -m convex_common.postgres.migrate upgrade | check [--wait SECONDS]")
    return Exit.WRONG


def _check(owner_url: str, wait: float) -> int:
    deadline = time.monotonic() + wait
    while True:
        try:
            found = standing(owner_url)
            if found.suits:
                return Exit.DONE
            if found is Standing.OUTGROWN:
                raise Outgrown
            message = "the schema is not current: run the migration"
        except (psycopg.Error, DBAPIError) as error:
            message = str(error).splitlines()[0]
        if time.monotonic() >= deadline:
            _say(message)
            return Exit.FAILED
        time.sleep(1.0)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
