"""`convex deliveries`: what was sent where, and what became of it."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from convex_alerts.cli import names, output
from convex_alerts.cli.command import Session, application, command

app = application("What was sent where, and what became of it.")

DeliveryId = Annotated[str, typer.Argument(autocompletion=names.completing("deliveries", "id"))]

COLUMNS: list[output.Column] = [
    ("status", "status"),
    ("age", lambda row: output.age(row["created_at"])),
    ("cause", "cause"),
    ("channel", "channel_name"),
    ("tries", lambda row: len(row["attempts"])),
    ("id", "id"),
    ("why", lambda row: row["last_error"] or row["delayed_reason"] or ""),
]
ATTEMPTS: list[output.Column] = [
    ("at", lambda row: row["started_at"][:19].replace("T", " ")),
    ("try", "number"),
    ("outcome", "outcome"),
    ("code", "status_code"),
    ("ms", lambda row: round(row["duration_ms"])),
    ("answer", lambda row: row["error"] or row["answer"] or ""),
]


@command(app, "list")
def list_(
    session: Session,
    status: Annotated[str | None, typer.Option(help="pending, delivered, failed or quarantined.")] = None,
    channel: Annotated[
        str | None, typer.Option(help="Its name or id.", autocompletion=names.completing("channels"))
    ] = None,
    alert: Annotated[str | None, typer.Option(metavar="ID", help="Of this alert.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
) -> None:
    """List deliveries, the newest first."""
    channel_id = names.id_of(session, "channels", channel) if channel else None
    rows = session.client.items("deliveries", status=status, channel_id=channel_id, alert_id=alert)
    output.listing(islice(rows, limit), COLUMNS, as_json=session.as_json, nothing="no deliveries")


@command(app)
def show(session: Session, delivery_id: DeliveryId) -> None:
    """Show a delivery with every attempt."""
    delivery = session.client.get(f"deliveries/{delivery_id}")
    if session.as_json:
        return output.document(delivery)
    attempts = delivery.pop("attempts")
    output.thing(delivery, as_json=False)
    typer.echo("")
    output.listing(attempts, ATTEMPTS, as_json=False, nothing="no attempts yet")
    return None


@command(app)
def replay(session: Session, delivery_id: DeliveryId) -> None:
    """Try a delivery that failed anew."""
    output.thing(session.client.create(f"deliveries/{delivery_id}/replay", None), as_json=session.as_json)
