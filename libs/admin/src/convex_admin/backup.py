"""`convex admin backup`: all of an installation's rows as of one moment, while everything runs."""

from __future__ import annotations

import datetime as dt
from importlib import metadata
from pathlib import Path

import typer
from psycopg import sql

from convex_admin import archive
from convex_admin.audit import heads
from convex_admin.database import connect, owner_url
from convex_admin.failures import told
from convex_common.errors import Conflict, Forbidden
from convex_common.postgres import partitions, sealed
from convex_common.postgres.database import Connection

NOT_KEPT = ("alembic_version", "inbox_shards")
"""The migration makes these anew: the schema's revision, and leases, which nobody holds after a restore."""

HIDDEN = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pg_roles me
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND c.relrowsecurity AND me.rolname = current_user
AND NOT (me.rolsuper OR me.rolbypassrls)
AND NOT (NOT c.relforcerowsecurity AND pg_has_role(c.relowner, 'USAGE'))
AND NOT EXISTS (
    SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd IN ('*', 'r')
    AND pg_get_expr(p.polqual, p.polrelid) = 'true'
    AND EXISTS (SELECT FROM unnest(p.polroles) r WHERE CASE WHEN r = 0 THEN true ELSE pg_has_role(r, 'USAGE') END))
ORDER BY 1"""
TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1"""


def backup(out: Path) -> None:
    """Write the back-up into a new folder and say what is in it."""
    with told():
        folder = _new_folder(out)
        with connect() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            _must_see_everything(connection)
            (snapshot,) = connection.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
            dump = folder / archive.DUMP
            archive.run(
                "pg_dump",
                connection.info.server_version // 10000,
                owner_url(),
                [
                    "--format=custom",
                    "--data-only",
                    "--schema=public",
                    "--enable-row-security",
                    "--load-via-partition-root",
                    f"--snapshot={snapshot}",
                    f"--file={dump}",
                    *(f"--exclude-table={table}" for table in NOT_KEPT),
                ],
            )
            dump.chmod(0o600)
            manifest = _manifest(connection, dump)
        archive.write(folder, manifest)
    typer.echo(f"{out}: {sum(manifest.rows.values())} rows of {len(manifest.rows)} tables, {manifest.bytes} bytes")
    keys = " ".join(manifest.encryption_key_ids) or "none"
    typer.echo(f"ENCRYPTION_KEYS is not in it: keep the keys that it needs elsewhere ({keys})")


def counts(connection: Connection) -> dict[str, int]:
    """The rows of each table that is kept."""
    found = {}
    for (table,) in connection.execute(TABLES).fetchall():
        if table not in NOT_KEPT:
            row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
            found[table] = int(row[0]) if row else 0
    return found


def _manifest(connection: Connection, dump: Path) -> archive.Manifest:
    (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone() or ("",)
    length, sha256 = archive.digest(dump)
    keys = {key for column in sealed.SEALED for key in sealed.rows_by_key(connection, column) if key}
    return archive.Manifest(
        format=archive.FORMAT,
        version=metadata.version("convex-admin"),
        created_at=dt.datetime.now(dt.UTC),
        revision=revision,
        postgres=str(connection.info.parameter_status("server_version")),
        bytes=length,
        sha256=sha256,
        rows=counts(connection),
        partitions=partitions.named(connection),
        encryption_key_ids=sorted(keys),
        audit=heads(connection),
    )


def _must_see_everything(connection: Connection) -> None:
    """Under row security a dump of somebody who is not let through has no rows, and says nothing of it."""
    hidden = [row[0] for row in connection.execute(HIDDEN).fetchall()]
    if hidden:
        more = " and others" if len(hidden) > 3 else ""
        raise Forbidden(
            f"row security hides rows of {', '.join(hidden[:3])}{more} from this role",
            cure="use the tables' owner, a member of convex_definer, or a role with BYPASSRLS",
        )


def _new_folder(out: Path) -> Path:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Conflict(f"{out}: exists and is not an empty folder", cure="name a new one for each back-up")
    out.mkdir(parents=True, exist_ok=True)
    out.chmod(0o700)
    return out
