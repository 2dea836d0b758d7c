"""Statements that both drivers run: psycopg's for workers, SQLAlchemy's for the gateway."""

from __future__ import annotations

import re

from sqlalchemy import TextClause, text


def for_gateway(statement: str) -> TextClause:
    """A statement with psycopg's named parameters, `%(name)s`, as SQLAlchemy takes it."""
    return text(re.sub(r"%\((\w+)\)s", r":\1", statement))
