"""`convex admin restore`: a back-up into an empty database, ready to be served.

The schema, its roles and grants come from the migrations, the rows from the dump. What must not survive a change of
history does not: leases, sessions, and the feed's epoch, by which clients know that they have to reload.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import typer
from psycopg import sql

from convex_admin import archive
from convex_admin.audit import Anchor, sentence, verdicts
from convex_admin.backup import counts
from convex_admin.database import connect, owner_url, record, work_for, workspaces
from convex_admin.failures import Broken, told
from convex_common.errors import Conflict, Invalid
from convex_common.exits import Exit
from convex_common.postgres import migrate, partitions
from convex_common.postgres.database import Connection
from convex_common.secretbox import id_of

SETTLE = (
    "UPDATE workspace_feed SET epoch = gen_random_uuid()",
    # By so much that what a cache or a process remembers of the lost history is none of the new one's.
    "UPDATE workspaces SET config_version = config_version + 1000000",
    "UPDATE cache_versions SET version = version + 1000000",
    "UPDATE deliveries SET lease_token = NULL, lease_until = NULL, due_at = now() WHERE lease_token IS NOT NULL",
    "UPDATE job_runs SET status = 'pending', lease_token = NULL, due_at = now() WHERE status = 'running'",
    # Of the cluster that it was taken in: this one is looked at anew, and its Jobs are other ones.
    "UPDATE job_runs SET kubernetes_job = NULL, no_kubernetes_job = NULL WHERE status = 'pending'",
    "DELETE FROM cron_jobs",
    "DELETE FROM cluster_sight",
    "DELETE FROM sessions",
)
OWN_TABLES = """
SELECT c.relname, c.relforcerowsecurity FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') ORDER BY 1"""


def restore(source: Path, replace: bool) -> None:
    """Load it, settle what must not survive, check it, and say what to do next."""
    with told():
        manifest = archive.read(source)
        if not migrate.knows(manifest.revision):
            raise Invalid(str(source), f"is of schema {manifest.revision}", cure="restore it with a newer version")
        url = owner_url()
        with connect(autocommit=True) as connection:
            _make_empty(connection, replace)
            major = connection.info.server_version // 10000
            archive.program("pg_restore", major)
        migrate.upgrade(url, revision=manifest.revision)
        with connect(autocommit=True) as connection:
            partitions.make_named(connection, manifest.partitions)
            with _open(connection):
                archive.run(
                    "pg_restore",
                    major,
                    url,
                    ["--data-only", "--exit-on-error", "--single-transaction", str(source / archive.DUMP)],
                )
                _compare(counts(connection), manifest.rows)
        migrate.upgrade(url, _service_user())
        with connect() as connection:
            _settle(connection, manifest)
        with connect() as connection:
            broken = _verify(connection, manifest.audit)
    typer.echo(f"restored {sum(manifest.rows.values())} rows, as of {manifest.created_at:%Y-%m-%d %H:%M:%S} UTC")
    for line in _next(manifest):
        typer.echo(line)
    if broken:
        raise typer.Exit(Exit.FAILED)


def _make_empty(connection: Connection, replace: bool) -> None:
    tables = connection.execute(OWN_TABLES).fetchall()
    if tables and not replace:
        raise Conflict(f"the database has {len(tables)} tables already", cure="use an empty one, or say --replace")
    others = connection.execute(
        "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND usename IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'"
    ).fetchall()
    if others:
        named = ", ".join(sorted(str(row[0]) for row in others))
        raise Conflict(f"the database is in use, by {named}", cure="stop the services first")
    if tables:
        with connection.transaction():
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
            connection.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")


@contextmanager
def _open(connection: Connection) -> Iterator[None]:
    """Meanwhile the tables' owner may load them as they were: past row security, and without triggers that count."""
    tables = connection.execute(OWN_TABLES).fetchall()
    forced = [table for table, force in tables if force]
    with connection.transaction():
        for table in forced:
            _alter(connection, table, "NO FORCE ROW LEVEL SECURITY")
        for table, _ in tables:
            _alter(connection, table, "DISABLE TRIGGER USER")
        for table, rows in counts(connection).items():
            if rows:  # what the migration put there is in the dump as well
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
    try:
        yield
    finally:
        with connection.transaction():
            for table, _ in tables:
                _alter(connection, table, "ENABLE TRIGGER USER")
            for table in forced:
                _alter(connection, table, "FORCE ROW LEVEL SECURITY")


def _alter(connection: Connection, table: str, how: str) -> None:
    connection.execute(sql.SQL("ALTER TABLE {} {}").format(sql.Identifier(table), sql.SQL(how)))


def _compare(found: dict[str, int], wanted: dict[str, int]) -> None:
    different = sorted(table for table, rows in wanted.items() if found.get(table, 0) != rows)
    if different:
        raise Broken(
            f"{different[0]}: {found.get(different[0], 0)} rows were loaded, not {wanted[different[0]]}",
            cure="restore again with --replace",
        )


def _settle(connection: Connection, manifest: archive.Manifest) -> None:
    """In one transaction, and on the audit log of each workspace."""
    for statement in SETTLE:
        connection.execute(statement.encode())
    for workspace in workspaces(connection):
        work_for(connection, workspace.id)
        record(connection, workspace.id, "installation.restored", as_of=manifest.created_at, sha256=manifest.sha256)


def _verify(connection: Connection, anchors: Sequence[Anchor]) -> bool:
    noted = defaultdict(list)
    for anchor in anchors:
        noted[anchor.workspace_id].append(anchor)
    broken = False
    for workspace, verdict in verdicts(connection, noted):
        if verdict.broken:
            typer.echo(f"audit log of {sentence(workspace, verdict)}", err=True)
            broken = True
    return broken


def _next(manifest: archive.Manifest) -> Iterator[str]:
    yield "next:"
    given = {id_of(key.strip()) for key in os.environ.get("ENCRYPTION_KEYS", "").split(",") if key.strip()}
    if missing := sorted(set(manifest.encryption_key_ids) - given):
        yield f"- give the services the ENCRYPTION_KEYS with the ids {' '.join(missing)}, which sealed what is in it"
    yield "- empty Redis, which remembers another history"
    yield "- look through API keys and members: what was revoked since the back-up is valid again; sessions are ended"
    yield "- start the services: pending deliveries go out, and clients reload"


def _service_user() -> str | None:
    url = os.environ.get("DATABASE_URL")
    return urlsplit(url).username if url else None
