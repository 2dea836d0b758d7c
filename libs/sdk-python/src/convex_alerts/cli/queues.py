"""`convex queues`: what waits, and what was put aside after it had failed too often."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from convex_alerts.cli import names, output
from convex_alerts.cli.command import Session, application, command

app = application("What waits, and what was put aside after it had failed.")

QUEUES = ("alert", "notification", "analytics", "prediction", "scheduler")
Queue = Annotated[str, typer.Argument(metavar="QUEUE", autocompletion=lambda: QUEUES, help=", ".join(QUEUES))]
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Which; without any, say --oldest.")]
Oldest = Annotated[bool, typer.Option("--oldest", help="The oldest 500 instead of named ones.")]

COLUMNS: list[output.Column] = [
    ("queue", "name"),
    ("active", "active"),
    ("waiting", "waiting"),
    ("delayed", "delayed"),
    ("done/h", "completed"),
    ("failed", "failed"),
    ("wait p95 ms", lambda row: (row["wait"] or {}).get("p95")),
    ("work p95 ms", lambda row: (row["processing"] or {}).get("p95")),
]
ASIDE: list[output.Column] = [
    ("age", lambda row: output.age(row["quarantined_at"])),
    ("kind", "kind"),
    ("tries", "attempts"),
    ("id", "id"),
    ("why", "reason"),
]


@command(app, "list")
def list_(
    session: Session,
    installation: Annotated[
        bool, typer.Option("--installation", help="Of all workspaces; takes a token with the claim `operator`.")
    ] = False,
) -> None:
    """List the queues: what is in them, how long it waits and takes."""
    rows = session.client.get("queues", scope="installation" if installation else None)["items"]
    output.listing(rows, COLUMNS, as_json=session.as_json, nothing="no queues")


@command(app)
def quarantine(
    session: Session, queue: Queue, limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50
) -> None:
    """List what was put aside, the newest first."""
    rows = session.client.items(f"queues/{queue}/quarantine")
    output.listing(islice(rows, limit), ASIDE, as_json=session.as_json, nothing="nothing was put aside")


@command(app)
def replay(session: Session, queue: Queue, ids: Ids = None, oldest: Oldest = False) -> None:
    """Put what was put aside back to work, as if it had never failed."""
    _move(session, queue, "replay", ids, oldest)


@command(app)
def drop(session: Session, queue: Queue, ids: Ids = None, oldest: Oldest = False) -> None:
    """Give up for good what was put aside."""
    _move(session, queue, "drop", ids, oldest)


def _move(session: Session, queue: str, action: str, ids: list[str] | None, oldest: bool) -> None:
    if bool(ids) == oldest:
        raise typer.BadParameter("name ids, or say --oldest")
    for wrong in (one for one in ids or () if not names.is_id(one)):
        raise typer.BadParameter(f"{wrong!r} is no id; `convex queues quarantine {queue}` shows them")
    moved = session.client.create(f"queues/{queue}/quarantine/{action}", {"ids": ids} if ids else {})
    if session.as_json:
        output.document(moved)
    else:
        typer.echo(f"{len(moved['ids'])} moved, {moved['remaining']} left")
