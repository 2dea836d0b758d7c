"""Puts `convex` together: the client's own commands and those that installed packages bring along.

A command is imported when it is asked for, so that every one of them starts quickly, and so does `--help`.
"""

from __future__ import annotations

import importlib
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from convex_alerts.cli.command import PLAIN

GROUP: Final = "convex.commands"

OWN: Final = {
    "alerts": "What is wrong: list, show, watch live, acknowledge, resolve.",
    "channels": "Where notifications go: list, make, change, test, delete.",
    "deliveries": "What was sent where, and what became of it.",
    "frameworks": "The monitored scopes of the workspace.",
    "jobs": "What the installation does by the clock.",
    "observe": "Send one value, or play a recorded series again.",
    "profiles": "Which installations there are, kept for later.",
    "queues": "What waits, and what was put aside after it had failed.",
    "rules": "What decides on observations: list, make, edit, delete.",
    "silences": "What nobody is told about for a while.",
    "triggers": "Send alerts that you vouch for.",
}
"""Each is a module beside this one, with an application `app`."""


class Commands(TyperGroup):
    """Knows its commands by name, and imports the one that is used."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        names: dict[str, Any] = dict.fromkeys({**OWN, **_others()})
        self.commands = names  # by which one that is misspelt is guessed

    def list_commands(self, ctx: Any) -> list[str]:
        """All of them, by name."""
        return sorted(self.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command; None where there is none of this name."""
        if cmd_name in OWN:
            app = importlib.import_module(f"convex_alerts.cli.{cmd_name}").app
            return get_command(app) if len(app.registered_commands) == 1 else get_group(app)
        other = _others().get(cmd_name)
        return get_group(other.load()) if other else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list in the help, which needs none of them."""
        helps = {**{name: _summary(other) for name, other in _others().items()}, **OWN}
        with formatter.section("Commands"):
            formatter.write_dl(sorted(helps.items()))


def build() -> typer.Typer:
    """The application. A package adds a command by an entry point naming a Typer application that imports little."""
    app = typer.Typer(name="convex", cls=Commands, no_args_is_help=True, **PLAIN)
    app.callback(help="Convex Alerts from the command line.")(lambda: None)
    return app


def main() -> None:
    """The console script."""
    build()()


def _others() -> dict[str, EntryPoint]:
    return {found.name: found for found in entry_points(group=GROUP)}


def _summary(other: EntryPoint) -> str:
    return str(other.dist.metadata["Summary"]) if other.dist else ""
