"""`convex detect`: the detectors over files. The only part of this package that reads or writes any."""

from __future__ import annotations

import csv
import datetime as dt
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer

from convex_detection.detector import DETECTORS, Detector
from convex_detection.score import Score, sentence

app = typer.Typer(help="Find what is unusual in recorded series.", no_args_is_help=True)

_LINES: Final = 12
_DRAWN: Final = 16
"""Points drawn for each line that is printed."""

_SHOWN: Final = 4000
"""Values drawn before the forecast, the latest ones."""

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


@app.command()
def forecast(
    file: Annotated[Path, typer.Argument(help="A series (timestamp,value)")],
    hours: Annotated[float, typer.Option(help="How far to look ahead")] = 24.0,
    level: Annotated[float, typer.Option(help="The share of cases that the range is to hold")] = 0.9,
    threshold: Annotated[float | None, typer.Option(help="Say when a value is first at it or beyond")] = None,
    below: Annotated[bool, typer.Option("--below", help="The threshold is reached from above")] = False,
    out: Annotated[Path | None, typer.Option(help="A picture, of the format that its suffix names")] = None,
) -> None:
    """Say what comes next and within which range, and when a threshold is reached. Draw it with --out."""
    from convex_detection.forecast import look_ahead

    rows = sorted((at, value) for _, at, value in read(file) if math.isfinite(value))
    horizon = hours * 3600.0
    after = [horizon * part / (_LINES * _DRAWN) for part in range(1, _LINES * _DRAWN + 1)]
    try:
        outlook = look_ahead([at for at, _ in rows], [value for _, value in rows], horizon=horizon)
        points = outlook.points(after, level)
        breach = None if threshold is None else outlook.time_to_threshold(threshold, within=horizon, above=not below)
    except ValueError as error:  # TooLittle is one
        raise typer.BadParameter(f"{file}: {error}") from None
    typer.echo(f"by: {outlook.model}; tested on the series itself up to {outlook.tested / 3600:.1f} h ahead")
    for point in points[_DRAWN - 1 :: _DRAWN]:
        when = dt.datetime.fromtimestamp(outlook.at + point.after, dt.UTC)
        typer.echo(f"{when:%Y-%m-%d %H:%M}Z  {point.expected:.4g}  ({point.low:.4g} to {point.high:.4g})")
    if breach is not None and threshold is not None:
        typer.echo(f"{threshold:g}: {breach.words()}")
    if out is not None:
        from convex_detection.plot import draw_ahead

        draw_ahead(rows[-_SHOWN:], points, title=file.stem, target=out)
        typer.echo(f"drawn: {out}", err=True)


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
