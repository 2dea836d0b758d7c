"""Database URLs as users write them, as psycopg and as SQLAlchemy want them."""

from __future__ import annotations

PREFIXES = ("postgresql+psycopg://", "postgresql://", "postgres://")


def plain(url: str) -> str:
    """`postgresql://…`, for psycopg."""
    return "postgresql://" + _rest(url)


def sqlalchemy_url(url: str) -> str:
    """`postgresql+psycopg://…`, for SQLAlchemy: psycopg 3, sync and async."""
    return "postgresql+psycopg://" + _rest(url)


def _rest(url: str) -> str:
    for prefix in PREFIXES:
        if url.startswith(prefix):
            return url.removeprefix(prefix)
    return url
