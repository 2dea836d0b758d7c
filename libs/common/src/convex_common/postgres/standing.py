"""Which schema suits which code: its own, and a newer one that only added to it."""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import StrEnum

from sqlalchemy import Connection, text

_NOTE = "oldest code that this schema suits: {}"
_NOTED = re.compile(_NOTE.format(r"(\w+)"))


class Standing(StrEnum):
    """How a database's schema compares with this code's newest revision."""

    CURRENT = "current"
    BEHIND = "behind"
    """To be migrated first."""
    AHEAD = "ahead"
    """A newer version has migrated it, and has only added: this code works on it."""
    OUTGROWN = "outgrown"
    """A newer version has taken away what this code needs."""

    @property
    def suits(self) -> bool:
        """Whether services of this code may run on it."""
        return self in (Standing.CURRENT, Standing.AHEAD)


def standing_of(found: str | None, head: str, known: Collection[str], oldest: str | None) -> Standing:
    """`found` is the database's revision, `known` this code's, up to `head`; `oldest` what the schema says of itself.

    Revisions are numbers of equal length, so that those of newer code, which this code does not know, are compared.
    """
    if found == head:
        return Standing.CURRENT
    if found is None or found in known:
        return Standing.BEHIND
    return Standing.AHEAD if oldest is None or head >= oldest else Standing.OUTGROWN


def note_oldest(connection: Connection, oldest: str) -> None:
    """Have the schema say which code it suits: code that is older than it does not know this of itself."""
    comment = _NOTE.format(oldest).replace("'", "''")
    connection.exec_driver_sql(f"COMMENT ON TABLE alembic_version IS '{comment}'")


def noted_oldest(connection: Connection) -> str | None:
    """The head of the oldest code that the schema suits, where a revision has taken something away."""
    comment = connection.scalar(text("SELECT obj_description(to_regclass('alembic_version'), 'pg_class')"))
    found = _NOTED.fullmatch(comment or "")
    return found.group(1) if found else None
