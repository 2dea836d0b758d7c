"""A picture of a series, what was usual, and what was not. Needs matplotlib (`convex-detection[plot]`)."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from convex_detection.forecast import Point
from convex_detection.score import Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(rows: Sequence[tuple[float, float, Score]], *, title: str, target: Path) -> None:
    """Rows of time (seconds since the epoch), value and score, into a file of the format that its suffix names."""
    figure, axes = _begin()
    times = [_moment(at) for at, _, _ in rows]
    low = [math.nan if score.low is None else score.low for _, _, score in rows]
    high = [math.nan if score.high is None else score.high for _, _, score in rows]
    axes.fill_between(times, low, high, color="#3b82f6", alpha=0.18, linewidth=0, label="usual")  # type: ignore[arg-type]
    axes.plot(times, [value for _, value, _ in rows], color="#334155", linewidth=0.8, label="value")  # type: ignore[arg-type]
    found = [(when, value) for when, (_, value, score) in zip(times, rows, strict=True) if score.is_anomaly]
    if found:
        moments, values = zip(*found, strict=True)
        axes.plot(moments, values, "o", color="#dc2626", markersize=6, label=f"unusual ({len(found)})")
    _finish(figure, axes, title, target)


def draw_ahead(rows: Sequence[tuple[float, float]], points: Sequence[Point], *, title: str, target: Path) -> None:
    """Rows of time and value, and what is expected after the last of them."""
    figure, axes = _begin()
    axes.plot(
        [_moment(at) for at, _ in rows],  # type: ignore[arg-type]
        [value for _, value in rows],
        color="#334155",
        linewidth=0.8,
        label="value",
    )
    later = [_moment(rows[-1][0] + point.after) for point in points]
    low, high = [point.low for point in points], [point.high for point in points]
    axes.fill_between(later, low, high, color="#3b82f6", alpha=0.18, linewidth=0, label="range")  # type: ignore[arg-type]
    axes.plot(later, [point.expected for point in points], color="#3b82f6", linewidth=1.2, label="expected")  # type: ignore[arg-type]
    _finish(figure, axes, title, target)


def _begin() -> tuple[Figure, Axes]:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=(12, 4), layout="constrained")


def _finish(figure: Figure, axes: Axes, title: str, target: Path) -> None:
    from matplotlib import pyplot as plt

    axes.set_title(title)
    axes.legend(loc="upper left", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(target)
    plt.close(figure)


def _moment(at: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(at, dt.UTC)
