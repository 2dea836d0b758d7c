"""How answers are shown: columns for people, JSON for programs. What came from elsewhere cannot steer the terminal."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import typer

Row: TypeAlias = Mapping[str, Any]
Column: TypeAlias = tuple[str, str | Callable[[Row], Any]]

COLOURS: Final = {
    "critical": "bright_red",
    "error": "red",
    "warning": "yellow",
    "info": "cyan",
    "firing": "red",
    "acknowledged": "yellow",
    "resolved": "green",
    "failed": "red",
    "quarantined": "red",
    "delivered": "green",
}


def document(value: Any) -> None:
    """One JSON document."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def line(value: Any) -> None:
    """One JSON document on a line, at once."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def listing(rows: Iterable[Row], columns: Sequence[Column], *, as_json: bool, nothing: str) -> None:
    """Many things: an array, or a table; `nothing` is said where there are none."""
    found = list(rows)
    if as_json:
        document(found)
    elif found:
        typer.echo("\n".join(table(found, columns, width=_width())))
    else:
        typer.echo(nothing, err=True)


def thing(value: Row, *, as_json: bool) -> None:
    """One thing: an object, or a line for each of its fields."""
    if as_json:
        return document(value)
    longest = max(map(len, value), default=0)
    for name, field in value.items():
        typer.echo(f"{name:<{longest}}  {_coloured(cell(field))}")
    return None


def table(rows: Sequence[Row], columns: Sequence[Column], width: int | None = None) -> list[str]:
    """Aligned columns under their names; the last one is cut to the terminal's width where there is one."""
    texts = [[cell(row.get(read) if isinstance(read, str) else read(row)) for _, read in columns] for row in rows]
    heads = [name.upper() for name, _ in columns]
    widths = [max(len(line[place]) for line in [heads, *texts]) for place in range(len(columns))]
    lines = []
    for texts_ in [heads, *texts]:
        *first, last = texts_
        padded = [_coloured(text, size) for text, size in zip(first, widths, strict=False)]
        used = sum(widths[:-1]) + 2 * len(first)
        left = None if width is None else max(width - used, 8)
        lines.append("  ".join([*padded, _coloured(last if left is None else cut(last, left))]).rstrip())
    return lines


def cell(value: Any) -> str:
    """A value as a person reads it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return " ".join(f"{name}={cell(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(cell, value))
    return clean(str(value))


def clean(text: str) -> str:
    """Without what moves a terminal's cursor or changes its colours, and on one line."""
    return "".join(character if character.isprintable() else " " for character in text)


def cut(text: str, length: int) -> str:
    """Not longer than this."""
    return text if len(text) <= length else text[: length - 1] + "…"


def age(since: str | datetime | None, now: datetime | None = None) -> str:
    """How long ago, in the largest unit that fits."""
    if not since:
        return ""
    then = datetime.fromisoformat(since) if isinstance(since, str) else since
    seconds = max(0, int(((now or datetime.now(UTC)) - then).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _coloured(text: str, width: int = 0) -> str:
    padded = f"{text:<{width}}"
    return typer.style(padded, fg=COLOURS[text]) if text in COLOURS and sys.stdout.isatty() else padded


def _width() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
