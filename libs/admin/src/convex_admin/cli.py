"""`convex admin …`: the commands for who runs an installation. What they need is imported when they run."""

from __future__ import annotations

import typer

app = typer.Typer(name="admin", help="Run an installation, by its database.", no_args_is_help=True)


@app.callback()
def admin() -> None:
    """Needs DATABASE_OWNER_URL, as the migrations do."""
