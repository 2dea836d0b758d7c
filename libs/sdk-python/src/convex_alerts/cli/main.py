"""Puts `convex` together: the client's own commands and those that installed packages bring along."""

from __future__ import annotations

from importlib.metadata import entry_points

import typer

from convex_alerts.cli.observe import observe

GROUP = "convex.commands"


def build() -> typer.Typer:
    """The application. A package adds a command by an entry point naming a Typer application that imports little."""
    app = typer.Typer(name="convex", help="Convex Alerts from the command line.", no_args_is_help=True)
    app.command(context_settings={"ignore_unknown_options": True})(observe)  # so that a value may be negative
    for command in sorted(entry_points(group=GROUP), key=lambda found: found.name):
        app.add_typer(command.load(), name=command.name)
    return app


def main() -> None:
    """The console script."""
    build()()
