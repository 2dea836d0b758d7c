"""`convex observe`: one value, or a recorded series played again."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convex_alerts.cli import names
from convex_alerts.cli.command import FAILED, Session, application, command, fail
from convex_alerts.cli.output import document
from convex_alerts.replay import Unreadable

if TYPE_CHECKING:
    from convex_alerts.client import Client
    from convex_alerts.replay import Schedule

TICK = 0.25
SPEEDS = (0.001, 1_000_000)


app = application("Send observations.")


@command(app, "observe", context_settings={"ignore_unknown_options": True})  # so that a value may be negative
def observe(
    session: Session,
    value: Annotated[
        str | None, typer.Argument(metavar="[VALUE]", help="A number, unless --replay gives many.")
    ] = None,
    *,
    replay: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A CSV file of `timestamp,value`.")
    ] = None,
    speed: Annotated[float, typer.Option(help="How much faster than recorded to replay.")] = 1.0,
    framework: Annotated[str | None, typer.Option(help="Its name; made when it is missing.")] = None,
    metric: Annotated[str | None, typer.Option(help="The metric's name; with --replay the file's by default.")] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="May be repeated.")] = None,
) -> None:
    """Send observations: one VALUE now, or a recorded series shifted to now with its gaps divided by --speed."""
    if (value is None) == (replay is None):
        raise typer.BadParameter("give either a VALUE or --replay FILE.csv")
    if not SPEEDS[0] <= speed <= SPEEDS[1]:
        raise typer.BadParameter(f"--speed must be from {SPEEDS[0]} to {SPEEDS[1]}")
    number = _number(value) if value is not None else math.nan
    labels = names.pairs(label)
    framework = framework or ("replay" if replay else None)
    metric = metric or (replay.stem if replay else None)
    if not framework or not metric:
        raise typer.BadParameter("a single value needs --framework and --metric")
    try:
        if replay:
            told = _replay(session.client, replay, speed, framework=framework, metric=metric, labels=labels)
        else:
            told = _send_one(session.client, number, framework, metric, labels)
    except (Unreadable, UnicodeDecodeError, csv.Error) as error:
        fail(str(error), FAILED, error)
    if session.as_json:
        document(told)
    elif replay:
        typer.echo(f"{told['accepted']} observations of {metric} sent to {framework}")
    else:
        typer.echo(f"{framework} {metric} {number:g}")


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise typer.BadParameter(f"{text!r} is neither a finite number nor an option of this command")
    return number


def _send_one(
    client: Client, value: float, framework: str, metric: str, labels: Mapping[str, str]
) -> dict[str, object]:
    from convex_alerts.client import Observation

    framework_id = client.ensure("frameworks", {"name": framework})["id"]
    accepted = client.observe([Observation(framework_id, metric, value, labels, datetime.now(UTC))])
    return {"framework": framework, "framework_id": framework_id, "metric": metric, "accepted": accepted}


def _replay(
    client: Client, path: Path, speed: float, *, framework: str, metric: str, labels: Mapping[str, str]
) -> dict[str, object]:
    from convex_alerts import replay

    points = replay.read(path)
    if not points:
        raise replay.Unreadable(f"{path}: there is no value in it")
    framework_id = client.ensure("frameworks", {"name": framework})["id"]
    schedule = replay.Schedule(points, speed, datetime.now(UTC))
    accepted = _play(client, schedule, framework_id, metric, labels)
    return {"framework": framework, "framework_id": framework_id, "metric": metric, "accepted": accepted}


def _play(client: Client, schedule: Schedule, framework_id: str, metric: str, labels: Mapping[str, str]) -> int:
    """Send each point when it is due, those of a quarter of a second together; how many were accepted."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from convex_alerts.client import MOST_PER_REQUEST, Observation

    points = schedule.points
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    sent = accepted = 0
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(f"{metric}, {schedule.length.total_seconds():.0f} s", total=len(points))
        while sent < len(points):
            end = schedule.due(sent, datetime.now(UTC), MOST_PER_REQUEST)
            if end > sent:
                accepted += client.observe(
                    [
                        Observation(framework_id, metric, points[index].value, labels, schedule.at(index))
                        for index in range(sent, end)
                    ]
                )
                progress.advance(task, end - sent)
                sent = end
            if sent < len(points):
                wait = (schedule.at(sent) - datetime.now(UTC)) / timedelta(seconds=1)
                time.sleep(max(TICK, wait))
    return accepted
