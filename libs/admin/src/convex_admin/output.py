"""What the commands print: lines for people, JSON for programs."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from convex_admin.bootstrap import Made


def tell(values: Mapping[str, object], words: str, *, as_json: bool) -> None:
    """One thing."""
    typer.echo(json.dumps(values) if as_json else words)


def tell_made(made: Made, *, as_json: bool) -> None:
    """What was made, or that nothing was: the key on a line of its own."""
    if not made.anything:
        words = f"workspace {made.workspace} is there already: nothing was made"
    else:
        words = f"workspace {made.workspace} {made.workspace_id}\nowner {made.owner}"
        words += f"\nkey {made.key}" if made.key else f"\nkey in {made.key_file}" if made.key_file else ""
    tell({**asdict(made), "made": made.anything}, words, as_json=as_json)


def tell_rows(names: Sequence[str], rows: Sequence[Sequence[str]], *, as_json: bool) -> None:
    """A table."""
    if as_json:
        typer.echo(json.dumps([dict(zip(names, row, strict=True)) for row in rows]))
        return
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    for row in (names, *rows):
        typer.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def moment(value: dt.datetime | None) -> str:
    """To the minute; empty for never."""
    return "" if value is None else f"{value:%Y-%m-%d %H:%M}"
