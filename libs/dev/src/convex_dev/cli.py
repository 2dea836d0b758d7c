"""`convex dev …`: the commands for one machine. What they need is imported when they run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(name="dev", help="The whole product on this machine.", no_args_is_help=True)

HomeOption = Annotated[
    Path, typer.Option("--home", envvar="CONVEX_HOME", help="Folder of data, keys and logs.", show_default=True)
]
HOME = Path(".convex")


@app.command()
def up(
    demo: Annotated[
        bool, typer.Option("--demo/--no-demo", envvar="CONVEX_DEMO", help="Fill the workspace `demo` with live data.")
    ] = True,
    port: Annotated[
        int, typer.Option(envvar="CONVEX_PORT", min=0, max=65535, help="Port of the gateway; 0 is any free one.")
    ] = 8080,
    home: HomeOption = HOME,
    processors: Annotated[
        int, typer.Option(envvar="CONVEX_PROCESSORS", min=1, max=64, help="How many processor processes to run.")
    ] = 1,
) -> None:
    """Start stores and services; Ctrl-C or SIGTERM stops them. The data is kept."""
    from convex_dev.up import Options
    from convex_dev.up import up as run_up

    raise typer.Exit(run_up(Options(home, port, demo, processors), dict(os.environ)))


@app.command()
def token(
    *,
    workspace: Annotated[str, typer.Option(help="The workspace's short name; made when it is missing.")] = "demo",
    role: Annotated[str, typer.Option(help="viewer, responder, editor, admin or owner.")] = "owner",
    user: Annotated[str | None, typer.Option(help="The member's id; one that suits the role by default.")] = None,
    ttl: Annotated[int, typer.Option(help="Seconds until it expires.")] = 86400,
    count: Annotated[int, typer.Option(min=0, help="Print this many, one a line, each of a member of its own.")] = 0,
    operator: Annotated[bool, typer.Option("--operator", help="It may see figures of the whole installation.")] = False,
    home: HomeOption = HOME,
) -> None:
    """Print a sign-in token for the running installation."""
    from convex_dev import state, tokens
    from convex_dev.errors import DevError
    from convex_dev.home import Home

    try:
        running = state.running(Home(home.resolve()))
        issued = tokens.issue(
            running, workspace=workspace, role=role, user=user, ttl=ttl, count=count, operator=operator
        )
    except DevError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_code) from None
    typer.echo("\n".join(issued))


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="A list of {name, pid, port, health, restarts}.")] = False,
    home: HomeOption = HOME,
) -> None:
    """Show every store and service: its pid, port, health (asked now) and restarts."""
    import json

    from convex_dev import status as look
    from convex_dev.errors import DevError
    from convex_dev.home import Home

    try:
        rows = look.of(Home(home.resolve()))
    except DevError as error:
        if as_json:
            typer.echo("[]")
        typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_code) from None
    typer.echo(json.dumps(rows, indent=1) if as_json else look.table(rows))
