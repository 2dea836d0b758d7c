"""`make bench-detection`: the default detector over labelled series, online, in one pass, with one setting for all.

The folder is one that has `data/**/*.csv` (timestamp,value), `windows.json` and `score.py` of the Numenta Anomaly
Benchmark; it is not part of the product, and neither the detector nor this file knows a series by its name.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from convex_detection.cli import made
from convex_detection.cli import read as rows_of
from convex_detection.score import ANOMALY
from tests.bench import conditions, forecasts, report

PROFILE = "standard"
PEERS = "Numenta HTM 70.7, CAD-OSE 70.9, ARTime 75.1, random cut forest 52.0, windowed Gaussian 47.4"


@dataclass(frozen=True)
class Point:
    """A scored row: what it would earn if it were flagged, and the window it lies in."""

    score: float
    reward: float
    window: str | None


def main() -> None:
    """Score, and print what came of it beside the targets."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.detection", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder")
    parser.add_argument("--detector", default="novelty", help="novelty or band")
    parser.add_argument(
        "--forecasts", action="store_true", help="forecasts instead, each real series from many moments"
    )
    parser.add_argument("--cuts", type=int, default=24, help="moments from which each series is forecast")
    given = parser.parse_args()
    if not (given.data / "score.py").is_file():
        print(f"{given.data} is no labelled benchmark (score.py, windows.json, data/): nothing was measured")
        return
    conditions.machine()
    if given.forecasts:
        forecasts.show(forecasts.measure(given.data, given.cuts, forecasts.progress))
        return
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        command = [str(Path(sys.executable).with_name("convex")), "detect", "score", "--data", str(given.data)]
        subprocess.run([*command, "--out", folder, "--detector", given.detector], check=True)
        told = subprocess.run(
            [sys.executable, str(given.data / "score.py"), folder], check=True, capture_output=True, text=True
        ).stdout
        points = read(given.data, out)
    print(told)
    show(given.data, points, told, given.detector)


def show(data: Path, points: dict[str, list[Point]], told: str, detector: str) -> None:
    """The targets beside what was measured."""
    standard = float(told.split(f"{PROFILE}: ")[1].split(maxsplit=1)[0])
    flat = [point for series in points.values() for point in series]
    found = {point.window for point in flat if point.window and point.score >= ANOMALY}
    alarms = sum(1 for point in flat if point.window is None and point.score >= ANOMALY)
    windows = {point.window for point in flat if point.window}
    rate, largest = speed(data, detector)
    left_out = leave_one_out(load(data), points)
    report.gates(
        f"Detector {detector} ({PEERS}; standard profile)",
        [
            report.Gate("standard", "≥ 73, aim 77", f"{standard:.2f}", standard >= 73),
            report.Gate("leave one category out", "shown", f"{left_out:.1f}", None),
            report.Gate(
                "windows found at the default sensitivity", "≥ 36", f"{len(found)} of {len(windows)}", len(found) >= 36
            ),
            report.Gate("false alarms at the default sensitivity", "≤ 15", str(alarms), alarms <= 15),
            report.at_least("updates on one core", [rate], 20_000, "/s"),
            report.at_most("largest state, packed", [largest / 1024], 16, "KiB"),
        ],
    )


def load(data: Path) -> ModuleType:
    """The benchmark's own scorer."""
    spec = importlib.util.spec_from_file_location("benchmark_score", data / "score.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(data: Path, out: Path) -> dict[str, list[Point]]:
    """Points by series, probation left out."""
    scorer, labels = load(data), json.loads((data / "windows.json").read_text())
    points: dict[str, list[Point]] = {}
    for name, spans in sorted(labels.items()):
        with (out / name).open(newline="") as source:
            rows = [(row["timestamp"], float(row["anomaly_score"])) for row in csv.DictReader(source)]
        cut = [(first.split(".")[0], last.split(".")[0]) for first, last in spans]
        earned = scorer.rewards([stamp for stamp, _ in rows], cut, name)
        skip = min(int(0.15 * len(rows)), 750)
        points[name] = [Point(score, *earned[n]) for n, (_, score) in enumerate(rows) if n >= skip]
    return points


def leave_one_out(scorer: ModuleType, points: dict[str, list[Point]]) -> float:
    """The score of each category at the threshold that is best for the others, put together."""
    weights: tuple[float, float, float] = scorer.PROFILES[PROFILE]
    categories: dict[str, list[Point]] = defaultdict(list)
    for name, series in points.items():
        categories[name.split("/")[0]] += series
    total, windows = 0.0, 0
    for category, own in categories.items():
        others = [point for name, series in categories.items() if name != category for point in series]
        _, threshold = scorer.sweep([(p.score, p.reward, p.window) for p in others], len(_windows(others)), weights)
        total += _earned(own, threshold, weights)
        windows += len(_windows(own))
    return 100 * (total + weights[2] * windows) / ((weights[0] + weights[2]) * windows)


def _earned(points: list[Point], threshold: float, weights: tuple[float, float, float]) -> float:
    hit, false, missed = weights
    best: dict[str, float] = {}
    total = 0.0
    for point in points:
        if point.score >= threshold:
            if point.window is None:
                total += false * point.reward
            else:
                best[point.window] = max(best.get(point.window, -missed), hit * point.reward)
    return total + sum(best.values()) - missed * (len(_windows(points)) - len(best))


def _windows(points: Iterable[Point]) -> set[str]:
    return {point.window for point in points if point.window}


def speed(data: Path, detector: str) -> tuple[float, int]:
    """Updates a second of CPU time, reading left out, and the largest state."""
    spent, rows, largest = 0.0, 0, 0
    for path in sorted((data / "data").rglob("*.csv")):
        series = [(value, at) for _, at, value in rows_of(path)]
        fresh = made(detector)
        begun = time.process_time()
        for value, at in series:
            fresh.update(value, at)
        spent += time.process_time() - begun
        rows += len(series)
        largest = max(largest, len(fresh.pack()))
    return rows / spent, largest


if __name__ == "__main__":
    main()
