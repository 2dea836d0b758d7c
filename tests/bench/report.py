"""Numbers for people: percentiles, tables, and targets beside what was measured."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

WIDTH = 150


@dataclass(frozen=True)
class Gate:
    """A target beside what was measured; `None` where it is shown without being demanded."""

    name: str
    target: str
    measured: str
    met: bool | None

    @property
    def verdict(self) -> str:
        return {True: "met", False: "NOT MET", None: "shown"}[self.met]


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie; not a number without any."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Sequence[float]) -> float:
    """The middle value; not a number without any."""
    return statistics.median(values) if values else float("nan")


def spread(values: Sequence[float], digits: int = 1) -> str:
    """`median (min–max)`: how much the runs differ is part of the result."""
    if not values:
        return "–"
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def at_most(name: str, values: Sequence[float], limit: float, unit: str = "ms") -> Gate:
    """Met when the median of the runs is `limit` or less."""
    return Gate(name, f"≤ {limit:g} {unit}", f"{spread(values)} {unit}", median(values) <= limit)


def at_least(name: str, values: Sequence[float], limit: float, unit: str) -> Gate:
    """Met when the median of the runs is `limit` or more."""
    return Gate(name, f"≥ {limit:g} {unit}", f"{spread(values)} {unit}", median(values) >= limit)


def none(name: str, values: Sequence[int]) -> Gate:
    """Met when it happened in no run."""
    return Gate(name, "0", str(sum(values)), sum(values) == 0)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, caption: str = "") -> None:
    """Print a table; floats with one decimal."""
    shown = Table(
        show_header=any(columns),
        title=title,
        caption=caption or None,
        title_justify="left",
        caption_justify="left",
        title_style="bold",
    )
    for n, column in enumerate(columns):
        shown.add_column(column, justify="left" if n == 0 or not columns[0] else "right")
    for row in rows:
        shown.add_row(*(f"{cell:.1f}" if isinstance(cell, float) else str(cell) for cell in row))
    console = Console(width=WIDTH, highlight=False)
    console.print()
    console.print(shown)


def markdown(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, caption: str = "") -> None:
    """Print a table to be pasted into a document."""
    lines = ["", f"**{title}**", "", *_markdown(columns, rows)]
    print("\n".join([*lines, *(["", f"{caption}."] if caption else [])]), flush=True)


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    rule = ["---", *("---:" for _ in columns[1:])]
    return [f"| {' | '.join(map(str, row))} |" for row in (columns, rule, *rows)]


def gates(title: str, found: Sequence[Gate]) -> None:
    """Print targets and results."""
    table(
        title,
        ("target", "wanted", "measured: median (min–max)", ""),
        [(g.name, g.target, g.measured, g.verdict) for g in found],
    )


def say(text: str) -> None:
    """One line about what goes on, for whoever waits."""
    print(text, flush=True)
