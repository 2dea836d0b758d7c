"""What PostgreSQL itself says of the schema, and rows for any table made from that alone."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from tests.support.processing import IDS

Owner = psycopg.Connection[tuple[Any, ...]]

TENANT_TABLES = """
SELECT c.relname, CASE c.relname WHEN 'workspaces' THEN 'id' ELSE 'workspace_id' END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
AND (c.relname = 'workspaces' OR EXISTS (
    SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT a.attisdropped))
ORDER BY 1"""
OTHER_TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'workspaces'
AND NOT EXISTS (
    SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT a.attisdropped)
ORDER BY 1"""
COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull AND NOT a.atthasdef
ORDER BY a.attnum"""
CHECKS = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'"


@dataclass(frozen=True)
class TenantTable:
    """A table whose rows belong to workspaces, and the column that says to which."""

    name: str
    column: str


def tenant_tables(owner: Owner) -> list[TenantTable]:
    """Every table with a workspace, partitions aside."""
    return [TenantTable(*row) for row in owner.execute(TENANT_TABLES).fetchall()]


def a_row(owner: Owner, table: TenantTable, workspace_id: uuid.UUID) -> dict[str, object]:
    """The least that the table takes: every column that must be given, by its type."""
    allowed = {}
    for (check,) in owner.execute(CHECKS, (table.name,)).fetchall():
        if found := re.match(r"CHECK \(\((\w+) = ANY \(ARRAY\['(\w+)'", check):
            allowed[found[1]] = found[2]
    row: dict[str, object] = {}
    for name, kind in owner.execute(COLUMNS, (table.name,)).fetchall():
        row[name] = workspace_id if name == table.column else allowed.get(name) or _value(kind)
    row[table.column] = workspace_id
    return row


def insert(connection: Owner, table: TenantTable, row: dict[str, object]) -> None:
    """Insert one row."""
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table.name),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(sql.Placeholder() * len(row)),
        ),
        list(row.values()),
    )


def fill(owner: Owner, workspaces: list[uuid.UUID]) -> None:
    """A row for each workspace in every table where it has none; what they refer to does not exist."""
    with owner.transaction():
        owner.execute("SET LOCAL session_replication_role = replica")  # no foreign keys
        for table in tenant_tables(owner):
            for workspace_id in workspaces:
                if not count(owner, table, workspace_id):
                    insert(owner, table, a_row(owner, table, workspace_id))


def count(connection: Owner, table: TenantTable, workspace_id: uuid.UUID | None = None) -> int:
    """Visible rows: of one workspace, or all."""
    everything = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table.name))
    if workspace_id is None:
        row = connection.execute(everything).fetchone()
    else:
        of_one = everything + sql.SQL(" WHERE {} = %s").format(sql.Identifier(table.column))
        row = connection.execute(of_one, (workspace_id,)).fetchone()
    assert row is not None
    return int(row[0])


def _value(kind: str) -> object:
    """Something of this type, new where the type has room for it; PostgreSQL reads it from text."""
    values: dict[str, str] = {
        "uuid": str(IDS.new()),
        "text": uuid.uuid4().hex,
        "bytea": "\\x" + uuid.uuid4().hex,
        "jsonb": "{}",
        "timestamp with time zone": "now",
        "date": "today",
        "boolean": "true",
    }
    return values.get(kind, "{}" if kind.endswith("[]") else "1")
