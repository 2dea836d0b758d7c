"""`convex frameworks`: the monitored scopes of the workspace."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from convex_alerts.cli import names, output
from convex_alerts.cli.command import Session, application, command

app = application("The monitored scopes of the workspace.")

Name = Annotated[str, typer.Argument(metavar="NAME|ID", autocompletion=names.completing("frameworks"))]
Labels = Annotated[list[str] | None, typer.Option("--label", metavar="NAME=VALUE", help="May be repeated.")]

COLUMNS: list[output.Column] = [
    ("name", "name"),
    ("id", "id"),
    ("source", "source"),
    ("labels", "labels"),
    ("description", "description"),
]


@command(app, "list")
def list_(session: Session) -> None:
    """List the frameworks, the oldest first."""
    rows = session.client.items("frameworks")
    output.listing(rows, COLUMNS, as_json=session.as_json, nothing="no frameworks")


@command(app)
def show(session: Session, name: Name) -> None:
    """Show a framework."""
    found = session.client.get(f"frameworks/{names.id_of(session, 'frameworks', name)}")
    output.thing(found, as_json=session.as_json)


@command(app)
def create(
    session: Session,
    name: Annotated[str, typer.Argument()],
    description: Annotated[str, typer.Option()] = "",
    label: Labels = None,
) -> None:
    """Make a framework."""
    body = {"name": name, "description": description, "labels": names.pairs(label)}
    output.thing(session.client.create("frameworks", body), as_json=session.as_json)


@command(app)
def edit(
    session: Session,
    name: Name,
    rename: Annotated[str | None, typer.Option(help="What it is called from now on.")] = None,
    description: Annotated[str | None, typer.Option()] = None,
    label: Labels = None,
) -> None:
    """Change what is named."""
    body: dict[str, Any] = {"name": rename, "description": description, "labels": names.pairs(label) or None}
    given = {field: value for field, value in body.items() if value is not None}
    if not given:
        raise typer.BadParameter("say what to change: --rename, --description or --label")
    framework_id = names.id_of(session, "frameworks", name)
    output.thing(session.client.change(f"frameworks/{framework_id}", given), as_json=session.as_json)


@command(app)
def delete(session: Session, name: Name) -> None:
    """Delete a framework with its rules; its open alerts are resolved."""
    framework_id = names.id_of(session, "frameworks", name)
    session.client.delete(f"frameworks/{framework_id}")
    if session.as_json:
        output.document({"deleted": framework_id})
