"""Every column that holds something sealed, and how all of it gets from old keys to the newest while services run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import sql

from convex_common.postgres.database import Connection
from convex_common.secretbox import ID_LENGTH, PREFIX, SecretBox, UnreadableSecret, prefix_of

BATCH = 200


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of sealed bytes or NULL, and its table's key, whose first part is the workspace."""

    table: LiteralString
    column: LiteralString
    key: tuple[LiteralString, LiteralString]

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


SEALED = (
    SealedColumn("channels", "secrets", ("workspace_id", "id")),
    SealedColumn("idempotency_keys", "answer", ("workspace_id", "scope")),
)
"""A test compares it with the schema's comments, where such a column's begins with `Sealed`."""


@dataclass(frozen=True, slots=True)
class Resealed:
    """What one batch came to: rows under the newest key now, by workspace, and rows that no key opens."""

    column: SealedColumn
    rows: Counter[Any]
    unreadable: int


def rows_by_key(connection: Connection, column: SealedColumn) -> dict[str | None, int]:
    """How many rows each key has sealed; None: sealed before keys had ids."""
    query = sql.SQL(
        "SELECT CASE WHEN substring({c} FROM 1 FOR {length}) = {prefix} "
        "THEN encode(substring({c} FROM {length} + 1 FOR {id_length}), 'escape') END, count(*) "
        "FROM {table} WHERE {c} IS NOT NULL GROUP BY 1"
    ).format(**_names(column), length=len(PREFIX), prefix=PREFIX, id_length=ID_LENGTH)
    return dict(connection.execute(query).fetchall())


def reseal(connection: Connection, column: SealedColumn, box: SecretBox, batch: int = BATCH) -> Iterator[Resealed]:
    """Seals anew what another key than the newest has sealed, one transaction a batch; again where it was interrupted.

    A row that somebody changes at the same time is left to them. `connection` is the owner's, in autocommit.
    """
    names = _names(column)
    newest = prefix_of(box.key_ids[0])
    select = sql.SQL(
        "SELECT {k1}, {k2}, {c} FROM {table} WHERE {c} IS NOT NULL AND substring({c} FROM 1 FOR {length}) <> {newest} "
        "{after} ORDER BY {k1}, {k2} LIMIT {batch}"
    )
    update = sql.SQL("UPDATE {table} SET {c} = %s WHERE {k1} = %s AND {k2} = %s AND {c} = %s").format(**names)
    last: tuple[Any, Any] | None = None
    while True:
        after = sql.SQL("") if last is None else sql.SQL("AND ({k1}, {k2}) > (%s, %s)").format(**names)
        query = select.format(**names, length=len(newest), newest=newest, batch=batch, after=after)
        rows = connection.execute(query, last).fetchall()
        if not rows:
            return
        last = rows[-1][:2]
        changes, unreadable = [], 0
        for workspace_id, key, sealed in rows:
            try:
                changes.append((box.reseal(sealed), workspace_id, key, sealed))
            except UnreadableSecret:
                unreadable += 1
        with connection.transaction(), connection.cursor() as cursor:
            cursor.executemany(update, changes)
        yield Resealed(column, Counter(change[1] for change in changes), unreadable)


def _names(column: SealedColumn) -> dict[str, sql.Identifier]:
    first, second = column.key
    return {
        "table": sql.Identifier(column.table),
        "c": sql.Identifier(column.column),
        "k1": sql.Identifier(first),
        "k2": sql.Identifier(second),
    }
