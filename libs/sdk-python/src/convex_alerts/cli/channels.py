"""`convex channels`: where notifications go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from convex_alerts.cli import documents, names, output
from convex_alerts.cli.command import FAILED, TRY_AGAIN, Session, application, command

app = application("Where notifications go: list, show, create, edit, enable, disable, test, delete.")

Channel = Annotated[str, typer.Argument(metavar="NAME|ID", autocompletion=names.completing("channels"))]
File = Annotated[Path | None, typer.Option("--file", "-f", help="A YAML or JSON file of fields; `-` reads stdin.")]
Config = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE", help="By kind: url=…, webhook_url=…, to=a@example.com; may be repeated, `to` too."
    ),
]
MinSeverity = Annotated[str | None, typer.Option(help="Only from this severity on.")]

COLUMNS: list[output.Column] = [
    ("name", "name"),
    ("kind", "kind"),
    ("on", "enabled"),
    ("from", "min_severity"),
    ("id", "id"),
    ("where", "config"),
]
LISTS = ("to", "user_ids")


@command(app, "list")
def list_(session: Session) -> None:
    """List the channels, the oldest first."""
    rows = session.client.items("channels")
    output.listing(rows, COLUMNS, as_json=session.as_json, nothing="no channels")


@command(app)
def show(session: Session, channel: Channel) -> None:
    """Show a channel, without its secrets."""
    output.thing(session.client.get(f"channels/{_id(session, channel)}"), as_json=session.as_json)


@command(app)
def create(
    session: Session,
    name: Annotated[str | None, typer.Argument()] = None,
    file: File = None,
    kind: Annotated[str | None, typer.Option(help="webhook, email, slack or in_app.")] = None,
    config: Config = None,
    min_severity: MinSeverity = None,
) -> None:
    """Make a channel. A webhook's generated secret is told now, and never again."""
    told = {"name": name, "kind": kind, "config": _config(config), "min_severity": min_severity}
    fields = {**documents.read(file), **{field: value for field, value in told.items() if value is not None}}
    if not fields:
        raise typer.BadParameter("say what channel: --file, or NAME, --kind and --config")
    if fields.get("kind") == "in_app":
        fields.setdefault("config", {})
    output.thing(session.client.create("channels", fields), as_json=session.as_json)


@command(app)
def edit(
    session: Session,
    channel: Channel,
    file: File = None,
    rename: Annotated[str | None, typer.Option(help="What it is called from now on.")] = None,
    config: Config = None,
    min_severity: MinSeverity = None,
) -> None:
    """Change a channel: what options or a file name."""
    told = {"name": rename, "config": _config(config), "min_severity": min_severity}
    fields = {**documents.read(file), **{field: value for field, value in told.items() if value is not None}}
    if not fields:
        raise typer.BadParameter("say what to change: --file, --rename, --config or --min-severity")
    output.thing(session.client.change(f"channels/{_id(session, channel)}", fields), as_json=session.as_json)


@command(app)
def enable(session: Session, channel: Channel) -> None:
    """Use a channel again."""
    output.thing(session.client.change(f"channels/{_id(session, channel)}", {"enabled": True}), as_json=session.as_json)


@command(app)
def disable(session: Session, channel: Channel) -> None:
    """Use a channel no more."""
    changed = session.client.change(f"channels/{_id(session, channel)}", {"enabled": False})
    output.thing(changed, as_json=session.as_json)


@command(app, "test")
def try_out(
    session: Session,
    channel: Channel,
    wait: Annotated[int, typer.Option(min=0, help="Seconds to wait for what becomes of it.")] = 30,
) -> None:
    """Send a test notification, and say whether it arrived."""
    delivery_id = session.client.create(f"channels/{_id(session, channel)}/test", None)["delivery_id"]
    delivery = _finished(session, delivery_id, wait)
    output.thing(delivery, as_json=session.as_json)
    if delivery["status"] == "pending":
        typer.echo(f"it is still on its way: convex deliveries show {delivery_id}", err=True)
        raise typer.Exit(TRY_AGAIN)
    if delivery["status"] != "delivered":
        raise typer.Exit(FAILED)


@command(app)
def delete(session: Session, channel: Channel) -> None:
    """Delete a channel."""
    channel_id = _id(session, channel)
    session.client.delete(f"channels/{channel_id}")
    if session.as_json:
        output.document({"deleted": channel_id})


def _finished(session: Session, delivery_id: str, wait: float) -> dict[str, Any]:
    """The delivery once it is done with, or as it stands after `wait` seconds."""
    import time

    until = time.monotonic() + wait
    while True:
        delivery = session.client.get(f"deliveries/{delivery_id}")
        if delivery["status"] != "pending" or time.monotonic() >= until:
            return delivery
        time.sleep(0.2)


def _id(session: Session, channel: str) -> str:
    return names.id_of(session, "channels", channel)


def _config(given: list[str] | None) -> dict[str, Any] | None:
    """NAME=VALUE as a channel's config; `to` and `user_ids` are lists."""
    if not given:
        return None
    config: dict[str, Any] = {}
    for pair in given:
        [(name, value)] = names.pairs([pair], "--config").items()
        if name in LISTS:
            config.setdefault(name, []).append(value)
        else:
            config[name] = value
    return config
