"""Alembic's folder. A revision is a folder of SQL files beside it."""

from __future__ import annotations

from pathlib import Path

from alembic import op

SQL = Path(__file__).parent / "sql"


def run_sql(revision: str) -> None:
    """Run a revision's SQL files in the order of their names."""
    cursor = op.get_bind().connection.cursor()
    for file in sorted((SQL / revision).glob("*.sql")):
        cursor.execute(file.read_text(encoding="utf-8"))
