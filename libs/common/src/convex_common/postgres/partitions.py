"""Time-range partitions: made ahead of time, by the owner of the tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import LiteralString, cast

import psycopg
from psycopg import sql

from convex_common.ids import floor


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
        existing = _children(connection, table)
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
    return sorted(name for table in TABLES for name in _children(connection, table) if not name.endswith("_default"))


def make_named(connection: psycopg.Connection[tuple[object, ...]], names: Iterable[str]) -> None:
    """Create those of the named partitions that are missing, so that rows of that time have their place again."""
    for name in names:
        table = next(table for table in TABLES if name.startswith(f"{table.name}_"))
        start = dt.datetime.strptime(name.removeprefix(f"{table.name}_"), "%Y%m%d").replace(tzinfo=dt.UTC)
        if name not in _children(connection, table):
            _create(connection, Partition(table, start, start + dt.timedelta(days=table.days)))


def _children(connection: psycopg.Connection[tuple[object, ...]], table: PartitionedTable) -> set[str]:
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
        return sql.Literal(str(floor(int(at.timestamp() * 1000))))
    return sql.Literal(at.isoformat())
