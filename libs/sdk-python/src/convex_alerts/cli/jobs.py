"""`convex jobs`: what the installation does by the clock."""

from __future__ import annotations

from typing import Annotated

import typer

from convex_alerts.cli import names, output
from convex_alerts.cli.command import Session, application, command

app = application("What the installation does by the clock: list, show, run, suspend, resume.")

Job = Annotated[str, typer.Argument(autocompletion=names.completing("jobs"))]

COLUMNS: list[output.Column] = [
    ("job", "name"),
    ("schedule", "schedule"),
    ("last", lambda row: output.age(row["last_run"])),
    ("was", "last_status"),
    ("next", lambda row: "suspended" if row["suspended"] else row["next_run"][:16].replace("T", " ")),
    ("why", "last_error"),
]
RUNS: list[output.Column] = [
    ("slot", lambda row: row["slot"][:19].replace("T", " ")),
    ("status", "status"),
    ("tries", "attempts"),
    ("asked by", "requested_by"),
    ("why", "last_error"),
]


@command(app, "list")
def list_(session: Session) -> None:
    """List every job of the timetable."""
    output.listing(session.client.items("jobs"), COLUMNS, as_json=session.as_json, nothing="no jobs")


@command(app)
def show(session: Session, job: Job) -> None:
    """Show a job with its newest runs."""
    found = session.client.get(f"jobs/{job}")
    if session.as_json:
        return output.document(found)
    runs = found.pop("runs")
    output.thing(found, as_json=False)
    typer.echo("")
    output.listing(runs, RUNS, as_json=False, nothing="no runs are kept")
    return None


@command(app)
def run(session: Session, job: Job) -> None:
    """Ask for a run now."""
    output.thing(session.client.create(f"jobs/{job}/run", None), as_json=session.as_json)


@command(app)
def suspend(session: Session, job: Job) -> None:
    """Take a job off its timetable."""
    output.thing(session.client.create(f"jobs/{job}/suspend", None), as_json=session.as_json)


@command(app)
def resume(session: Session, job: Job) -> None:
    """Put a job on its timetable again."""
    output.thing(session.client.create(f"jobs/{job}/resume", None), as_json=session.as_json)
