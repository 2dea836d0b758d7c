"""`make bench-detection ARGS=--forecasts`: forecasts of real series from many earlier moments, the same way for all.

Each series is cut at evenly spread moments of its later part. What `look_ahead` says there of each hour of the next day
is compared with what came, and with the seasonal-naive forecast, the value one day before: a day is the one season
that every series of people's doing has and that all of these are long enough for.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from convex_detection.cli import read as rows_of
from convex_detection.forecast import look_ahead
from convex_detection.grid import Numbers, TooLittle
from tests.bench import report

DAY = 86_400.0
HOURS = [3600.0 * hour for hour in range(1, 25)]
LEVEL = 0.9
BEGIN = 0.4
"""The share of a series that is known at the first cut."""
HIGH = 0.95
"""The threshold whose breach is foretold: what this share of the values so far lay below."""


@dataclass
class Tally:
    """What came of the cuts of one series."""

    ours: list[float] = field(default_factory=list)
    seasonal: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)
    within: list[bool] = field(default_factory=list)
    chances: list[float] = field(default_factory=list)
    breached: list[bool] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    in_range: list[bool] = field(default_factory=list)
    spent: list[float] = field(default_factory=list)
    refused: int = 0

    @property
    def mase(self) -> float:
        """Our absolute errors beside those of the seasonal-naive forecast."""
        return _ratio(self.ours, self.seasonal)

    @property
    def brier(self) -> tuple[float, float]:
        """Ours, and that of somebody who knows how often the threshold is breached in this series."""
        came = np.array(self.breached, dtype=float)
        return float(np.mean((np.array(self.chances) - came) ** 2)), float(np.var(came))


def measure(data: Path, cuts: int, told: Callable[[str], None]) -> dict[str, Tally]:
    """A tally for each real series; a line for each as it is done."""
    made: dict[str, Tally] = {}
    files = sorted(path for path in (data / "data").rglob("*.csv") if path.parent.name.startswith("real"))
    for number, path in enumerate(files, 1):
        rows = [(at, value) for _, at, value in rows_of(path)]
        tally = Tally()
        at, value = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
        order = np.argsort(at, kind="stable")
        at, value = at[order], value[order]
        end = int(np.searchsorted(at, at[-1] - DAY))
        for cut in np.unique(np.linspace(BEGIN * len(at), end, cuts).astype(int)):
            judge(tally, at, value, int(cut))
        made[path.parent.name + "/" + path.stem] = tally
        told(f"{number} of {len(files)}: {path.stem}: MASE {tally.mase:.2f}, within {np.mean(tally.within):.0%}")
    return made


def judge(tally: Tally, at: Numbers, value: Numbers, cut: int) -> None:
    """Foretell from one moment, and add what came of it."""
    began = time.process_time()
    try:
        outlook = look_ahead(at[:cut], value[:cut], horizon=DAY)
        points = outlook.points(HOURS, LEVEL)
        threshold = float(np.quantile(value[:cut], HIGH))
        breach = outlook.time_to_threshold(threshold, within=DAY)
    except TooLittle:
        tally.refused += 1
        return
    tally.spent.append(time.process_time() - began)
    step, now = outlook.grid.step, at[cut - 1]
    for point in points:
        truth = _nearest(at, value, now + point.after, step)
        before = _nearest(at, value, now + point.after - DAY, step)
        if truth is None or before is None:
            continue
        tally.ours.append(abs(point.expected - truth))
        tally.seasonal.append(abs(before - truth))
        tally.last.append(abs(float(value[cut - 1]) - truth))
        tally.within.append(point.low <= truth <= point.high)
    if value[cut - 1] >= threshold:
        return
    later = np.flatnonzero((value[cut:] >= threshold) & (at[cut:] <= now + DAY))
    tally.chances.append(breach.probability)
    tally.breached.append(bool(len(later)))
    if len(later) and breach.median is not None and breach.early is not None and breach.late is not None:
        came = float(at[cut + later[0]] - now)
        tally.late.append(abs(breach.median - came))
        tally.in_range.append(breach.early - step <= came <= breach.late + step)


def show(tallies: dict[str, Tally]) -> None:
    """The tables, and the gates."""
    print(f"{'series':52} cuts  MASE  to last  within  Brier  known rate  off by (min)  in range")
    for name, tally in tallies.items():
        ours, known = tally.brier
        off = f"{np.median(tally.late) / 60:12.0f}  {np.mean(tally.in_range):8.0%}" if tally.late else f"{'-':>12}"
        print(
            f"{name:52} {len(tally.spent):4}  {tally.mase:4.2f}  {_ratio(tally.ours, tally.last):7.2f}"
            f"  {np.mean(tally.within):6.0%}  {ours:5.3f}  {known:10.3f}  {off}"
        )
    scaled = [tally.mase for tally in tallies.values()]
    share = float(np.mean([each < 1 for each in scaled]))
    cover = float(np.mean([np.mean(tally.within) for tally in tallies.values()]))
    spent = [each for tally in tallies.values() for each in tally.spent]
    briers = np.array([tally.brier for tally in tallies.values()])
    ranges = [each for tally in tallies.values() for each in tally.in_range]
    offs = [each for tally in tallies.values() for each in tally.late]
    report.gates(
        f"Forecasts of {len(tallies)} real series, each hour of the next day, from {len(spent)} moments",
        [
            report.Gate("series with a MASE below 1", "≥ 80 %", f"{share:.0%}", share >= 0.8),
            report.Gate("median MASE", "shown", f"{np.median(scaled):.2f}", None),
            report.Gate(
                f"values within the {LEVEL:.0%} range", "85 to 95 %", f"{cover:.1%}", abs(cover - LEVEL) <= 0.05
            ),
            report.Gate("breach: Brier score, mean over series", "shown", f"{briers[:, 0].mean():.3f}", None),
            report.Gate("  of who knows each series' rate", "shown", f"{briers[:, 1].mean():.3f}", None),
            report.Gate("breach: median error of the time", "shown", f"{np.median(offs) / 60:.0f} min", None),
            report.Gate("breach: times within the 10 to 90 % range", "shown", f"{np.mean(ranges):.0%}", None),
            report.at_most("CPU of one forecast, median", [1000 * float(np.median(spent))], 50, "ms"),
        ],
    )


def progress(line: str) -> None:
    """To whoever watches."""
    print(line, file=sys.stderr, flush=True)


def _nearest(at: Numbers, value: Numbers, wanted: float, step: float) -> float | None:
    place = int(np.searchsorted(at, wanted))
    near = min((each for each in (place - 1, place) if 0 <= each < len(at)), key=lambda each: abs(at[each] - wanted))
    return float(value[near]) if abs(at[near] - wanted) <= step else None


def _ratio(ours: list[float], theirs: list[float]) -> float:
    below = sum(theirs)
    return sum(ours) / below if below > 0 else 0.0 if sum(ours) == 0 else np.inf
