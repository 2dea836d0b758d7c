"""Time-range partitions: made ahead of time and dropped when their time is over, by the owner of the tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import LiteralString, cast

import psycopg
from psycopg import sql

from convex_common.ids import floor_at


@dataclass(frozen=True)
class PartitionedTable:
    """A table split by time: by a timestamptz column, or by the time inside its UUIDv7 ids."""

    name: LiteralString
    by: LiteralString
    days: int
    ahead: int


TABLES = (
    PartitionedTable("inbox", by="id", days=7, ahead=1),
    PartitionedTable("alert_log", by="id", days=7, ahead=3),
    PartitionedTable("attempts", by="id", days=7, ahead=3),
    PartitionedTable("observations", by="at", days=1, ahead=7),
)
LOCK = 0x636F6E766578  # "convex": one migration at a time, whoever starts it
LOCK_TIMEOUT = 500
"""Milliseconds that dropping a partition may make its table's writers wait for the lock."""

EPOCH = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Partition:
    """One slice of a table: [start, end)."""

    table: PartitionedTable
    start: dt.datetime
    end: dt.datetime

    @property
    def name(self) -> str:
        """`<table>_<first day>`."""
        return f"{self.table.name}_{self.start:%Y%m%d}"


def wanted(table: PartitionedTable, now: dt.datetime) -> list[Partition]:
    """The slice of `now` and the ones ahead of it; slices start at multiples of their length since EPOCH."""
    length = dt.timedelta(days=table.days)
    first = EPOCH + length * ((now - EPOCH) // length)
    starts = [first + length * n for n in range(table.ahead + 1)]
    return [Partition(table, start, start + length) for start in starts]


def make_ahead(connection: psycopg.Connection[tuple[object, ...]], now: dt.datetime) -> list[str]:
    """Create the partitions that are wanted and missing; return their names.

    Needs the owner of the tables. A default partition exists from the first call on, so that no row is ever refused;
    rows that it already holds for a new slice are moved into it.
    """
    made: list[str] = []
    for table in TABLES:
        existing = children(connection, table)
        if f"{table.name}_default" not in existing:
            connection.execute(
                sql.SQL("CREATE TABLE {} PARTITION OF {} DEFAULT").format(
                    sql.Identifier(f"{table.name}_default"), sql.Identifier(table.name)
                )
            )
        for partition in wanted(table, now):
            if partition.name not in existing:
                _create(connection, partition)
                made.append(partition.name)
    return made


def named(connection: psycopg.Connection[tuple[object, ...]]) -> list[str]:
    """The names of all partitions but the default ones."""
    return sorted(name for table in TABLES for name in children(connection, table) if not name.endswith("_default"))


def make_named(connection: psycopg.Connection[tuple[object, ...]], names: Iterable[str]) -> None:
    """Create those of the named partitions that are missing, so that rows of that time have their place again."""
    for name in names:
        table = next(table for table in TABLES if name.startswith(f"{table.name}_"))
        start = dt.datetime.strptime(name.removeprefix(f"{table.name}_"), "%Y%m%d").replace(tzinfo=dt.UTC)
        if name not in children(connection, table):
            _create(connection, Partition(table, start, start + dt.timedelta(days=table.days)))


def over(table: PartitionedTable, existing: Iterable[str], before: dt.datetime) -> list[Partition]:
    """The existing slices that end by `before`, the oldest first. What else hangs on the table is not ours to drop."""
    found = []
    for name in existing:
        day = name.removeprefix(f"{table.name}_")
        if len(day) == len("20240101") and day.isdigit():
            start = dt.datetime.strptime(day, "%Y%m%d").replace(tzinfo=dt.UTC)
            partition = Partition(table, start, start + dt.timedelta(days=table.days))
            if partition.end <= before:
                found.append(partition)
    return sorted(found, key=lambda partition: partition.start)


def drop(connection: psycopg.Connection[tuple[object, ...]], partition: Partition, *, only_empty: bool) -> bool:
    """Drop a slice within the caller's transaction; False where it holds rows that must not go.

    The table is locked first, as writers lock it: who waits for a slice holds the table already. For no longer than
    LOCK_TIMEOUT, behind which the table's writers wait; psycopg's LockNotAvailable where that was too short.
    """
    names = {"table": sql.Identifier(partition.table.name), "slice": sql.Identifier(partition.name)}
    connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(f"{LOCK_TIMEOUT}ms")))
    connection.execute(sql.SQL("LOCK TABLE ONLY {table} IN ACCESS EXCLUSIVE MODE").format(**names))
    if only_empty:
        row = connection.execute(sql.SQL("SELECT EXISTS (SELECT FROM {slice})").format(**names)).fetchone()
        if row is None or row[0]:
            return False
    connection.execute(sql.SQL("DROP TABLE {slice}").format(**names))
    return True


def children(connection: psycopg.Connection[tuple[object, ...]], table: PartitionedTable) -> set[str]:
    """The names of a table's partitions, the default one included."""
    rows = connection.execute(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = %s::regclass",
        (table.name,),
    ).fetchall()
    return {cast(str, row[0]) for row in rows}


def _create(connection: psycopg.Connection[tuple[object, ...]], partition: Partition) -> None:
    """Attach a new slice; what the default partition holds of it moves along, in one transaction."""
    table = partition.table
    names = {
        "slice": sql.Identifier(partition.name),
        "table": sql.Identifier(table.name),
        "default": sql.Identifier(f"{table.name}_default"),
        "by": sql.Identifier(table.by),
        "start": _bound(table, partition.start),
        "end": _bound(table, partition.end),
    }
    with connection.transaction():
        connection.execute(sql.SQL("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE").format(**names))
        connection.execute(
            sql.SQL(
                "CREATE TABLE {slice} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)"
            ).format(**names)
        )
        connection.execute(
            sql.SQL(
                "WITH moved AS (DELETE FROM {default} WHERE {by} >= {start} AND {by} < {end} RETURNING *) "
                "INSERT INTO {slice} SELECT * FROM moved"
            ).format(**names)
        )
        connection.execute(
            sql.SQL("ALTER TABLE {table} ATTACH PARTITION {slice} FOR VALUES FROM ({start}) TO ({end})").format(**names)
        )
        if table.name == "inbox":
            connection.execute(
                sql.SQL(
                    "ALTER TABLE {slice} SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, "
                    "autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_cost_delay = 0)"
                ).format(**names)
            )


def _bound(table: PartitionedTable, at: dt.datetime) -> sql.Composable:
    if table.by == "id":
        return sql.Literal(str(floor_at(at)))
    return sql.Literal(at.isoformat())
