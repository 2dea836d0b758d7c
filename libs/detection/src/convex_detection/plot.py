"""A picture of a series, what was usual, and what was not. Needs matplotlib (`convex-detection[plot]`)."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from pathlib import Path

from convex_detection.score import Score


def draw(rows: Sequence[tuple[float, float, Score]], *, title: str, target: Path) -> None:
    """Rows of time (seconds since the epoch), value and score, into a file of the format that its suffix names."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    times = [dt.datetime.fromtimestamp(at, dt.UTC) for at, _, _ in rows]
    low = [math.nan if score.low is None else score.low for _, _, score in rows]
    high = [math.nan if score.high is None else score.high for _, _, score in rows]
    figure, axes = plt.subplots(figsize=(12, 4), layout="constrained")
    axes.fill_between(times, low, high, color="#3b82f6", alpha=0.18, linewidth=0, label="usual")  # type: ignore[arg-type]
    axes.plot(times, [value for _, value, _ in rows], color="#334155", linewidth=0.8, label="value")  # type: ignore[arg-type]
    found = [(when, value) for when, (_, value, score) in zip(times, rows, strict=True) if score.is_anomaly]
    if found:
        moments, values = zip(*found, strict=True)
        axes.plot(moments, values, "o", color="#dc2626", markersize=6, label=f"unusual ({len(found)})")
    axes.set_title(title)
    axes.legend(loc="upper left", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(target)
    plt.close(figure)
