"""`convex profiles`: which installations there are, kept for later."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from convex_alerts.cli import output, profile_file
from convex_alerts.cli.command import PLAIN, WRONG
from convex_alerts.cli.profile_file import Profile

app = typer.Typer(
    help="Which installations there are, kept in a file that you alone can read.", no_args_is_help=True, **PLAIN
)

JSON = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")]
COLUMNS: list[output.Column] = [("name", "name"), ("url", "url")]


@app.command("list")
def list_(as_json: JSON = False) -> None:
    """List the profiles, without their tokens."""
    rows = [{"name": name, "url": kept.url} for name, kept in sorted(profile_file.load().items())]
    output.listing(rows, COLUMNS, as_json=as_json, nothing=f"none in {profile_file.path()}")


@app.command()
def save(
    name: Annotated[str, typer.Argument(help="`default` is used where nothing else is said.")],
    url: Annotated[str, typer.Option(help="Where the installation is.")],
) -> None:
    """Keep an installation's address and a token, which is read from stdin."""
    token = (typer.prompt("Token", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()).strip()
    if not token:
        typer.echo("no token on stdin: pipe it in, as in `convex dev token | convex profiles save …`", err=True)
        raise typer.Exit(WRONG)
    profile_file.save({**profile_file.load(), name: Profile(url, token)})


@app.command()
def remove(name: Annotated[str, typer.Argument()]) -> None:
    """Forget a profile."""
    profile_file.read(name)
    profile_file.save({other: kept for other, kept in profile_file.load().items() if other != name})
