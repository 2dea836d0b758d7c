"""Every workspace of the installation."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from convex_common.postgres.urls import plain


def every(url: str) -> Sequence[tuple[str, str, str]]:
    """Short name, name and id, by the short name."""
    with psycopg.connect(plain(url)) as connection:
        return connection.execute("SELECT slug, name, id::text FROM workspaces ORDER BY slug").fetchall()
