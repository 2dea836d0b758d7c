"""The Core tables are those of the schema."""

from __future__ import annotations

import psycopg
from sqlalchemy.dialects import postgresql

from convex_common.postgres.tables import metadata
from tests.support.postgres import Store

COLUMNS = """SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"""


def test_columns_agree_with_the_migrations(store: Store) -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it unannotated
    with psycopg.connect(store.owner_url) as connection:
        for name, table in metadata.tables.items():
            ours = {column.name: column.type.compile(dialect=dialect).lower() for column in table.columns}
            assert ours == dict(connection.execute(COLUMNS, (name,)).fetchall()), name
