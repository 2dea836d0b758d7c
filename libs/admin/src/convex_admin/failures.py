"""What goes wrong, as one line on stderr and an exit code: every command's, from one table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from convex_common.errors import Conflict, ConvexError
from convex_common.exits import Exit


class Broken(ConvexError):  # noqa: N818 - as the others of the tree
    """What was looked at is not as it has to be."""


class Overtaken(Conflict):
    """Somebody else did the same at that moment; the same command finds what they did."""

    retry = True


@contextmanager
def told() -> Iterator[None]:
    """End with what this error means for whoever asked: FAILED, WRONG or TRY_AGAIN."""
    import psycopg

    try:
        yield
    except ConvexError as error:
        failed = Exit.TRY_AGAIN if error.retry else Exit.FAILED if isinstance(error, Broken) else Exit.WRONG
        _end(str(error), failed)
    except psycopg.errors.UndefinedTable:
        _end("the schema is not there; run `python -m convex_common.postgres.migrate upgrade` first", Exit.WRONG)
    except psycopg.OperationalError as error:
        _end(f"PostgreSQL: {_first_line(error)}", Exit.TRY_AGAIN)
    except psycopg.Error as error:
        _end(_first_line(error), Exit.WRONG)


def _end(line: str, code: Exit) -> None:
    typer.echo(line, err=True)
    raise typer.Exit(code) from None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
