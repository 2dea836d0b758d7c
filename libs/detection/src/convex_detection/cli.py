"""`convex detect`: the detectors over files. The only part of this package that reads or writes any."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from convex_detection.detector import DETECTORS, Detector
from convex_detection.score import Score, sentence

app = typer.Typer(help="Find what is unusual in recorded series.", no_args_is_help=True)

DetectorName = Annotated[str, typer.Option("--detector", help=f"One of {', '.join(DETECTORS)}")]


@app.command()
def score(
    data: Annotated[Path, typer.Option(help="The folder whose data/**/*.csv (timestamp,value) are read")],
    out: Annotated[Path, typer.Option(help="Where each file's scores go (timestamp,anomaly_score)")],
    detector: DetectorName = "novelty",
) -> None:
    """Score every row of every series, in one pass: a row's score knows only that row and those before it."""
    files = sorted((data / "data").rglob("*.csv"))
    if not files:
        raise typer.BadParameter(f"there is no *.csv below {data / 'data'}", param_hint="--data")
    for path in files:
        target = out / path.relative_to(data / "data")
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("w", newline="") as sink:
            writer = csv.writer(sink)
            writer.writerow(["timestamp", "anomaly_score"])
            for stamp, _, _, found in scored(path, made(detector)):
                writer.writerow([stamp, f"{found.value:.6f}"])
    typer.echo(f"{len(files)} series scored into {out}", err=True)


@app.command()
def plot(
    file: Annotated[Path, typer.Argument(help="A series (timestamp,value)")],
    out: Annotated[Path | None, typer.Option(help="The picture; the file's name with .svg by default")] = None,
    detector: DetectorName = "novelty",
) -> None:
    """Draw a series, the band of what was usual, and what was unusual."""
    from convex_detection.plot import draw

    rows = list(scored(file, made(detector)))
    target = out or file.with_suffix(".svg")
    draw([(at, value, found) for _, at, value, found in rows], title=file.stem, target=target)
    for stamp, _, value, found in rows:
        if found.is_anomaly:
            typer.echo(f"{stamp}  {found.value:.2f}  {sentence(value, found)}")
    typer.echo(f"drawn: {target}", err=True)


def made(name: str) -> Detector:
    """A new detector by its name."""
    if name not in DETECTORS:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(DETECTORS)}", param_hint="--detector")
    return DETECTORS[name]()


def scored(path: Path, detector: Detector) -> Iterator[tuple[str, float, float, Score]]:
    """Each row as it was `read`, with its score."""
    for stamp, at, value in read(path):
        yield stamp, at, value, detector.update(value, at)


def read(path: Path) -> Iterator[tuple[str, float, float]]:
    """Each row: its timestamp as written and in seconds since the epoch (UTC where it names no zone), and its value."""
    with path.open(newline="") as source:
        for number, row in enumerate(csv.DictReader(source), 2):
            try:
                stamp, value = row["timestamp"], float(row["value"] or "nan")
                moment = dt.datetime.fromisoformat(stamp)
            except (KeyError, TypeError, ValueError):
                raise typer.BadParameter(f"{path}:{number}: expected timestamp,value; got {row}") from None
            at = (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()
            yield stamp, at, value
