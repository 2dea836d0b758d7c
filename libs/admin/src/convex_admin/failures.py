"""What goes wrong, as one line on stderr and an exit status."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

WRONG_SETTING = 2
FAILED = 1


@contextmanager
def told() -> Iterator[None]:
    """Exit 2 for a setting, 1 for anything else that we know of."""
    import psycopg

    from convex_common.errors import ConvexError, SettingsError

    try:
        yield
    except SettingsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(WRONG_SETTING) from None
    except ConvexError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(FAILED) from None
    except psycopg.errors.UndefinedTable:
        typer.echo("the schema is not there; run `python -m convex_common.postgres.migrate upgrade` first", err=True)
        raise typer.Exit(FAILED) from None
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()
        typer.echo(f"PostgreSQL cannot be reached: {reason[0] if reason else error}", err=True)
        raise typer.Exit(FAILED) from None
