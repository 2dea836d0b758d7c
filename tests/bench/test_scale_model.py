"""The model, by loads whose answer is known."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tests.bench import scale_tables
from tests.bench.scale import CALIBRATION, DOCUMENT, stored
from tests.bench.scale_model import (
    WORK,
    Calibration,
    Limits,
    Mix,
    Sample,
    cells,
    errors,
    fit,
    non_negative,
    predicted,
    size,
    stops,
)

COSTS = {name: dict.fromkeys(kinds, 0.0) for name, kinds in WORK.items()} | {
    "gateway": {"gateway seconds": 0.01, "alerts": 50e-6, "requests": 400e-6, "writes": 10e-6, "copies": 20e-6},
    "processor": {"processor seconds": 0.01, "folds": 100e-6, "opened": 300e-6},
    "notifier": {"deliveries": 2e-3},
    "postgres": {"seconds": 0.05, "folds": 80e-6, "opened": 400e-6},
    "cache": {"folds": 5e-6, "copies": 5e-6},
    "WAL bytes": {"folds": 2000.0},
    "disk bytes": {"folds": 1000.0},
    "frames": {"folds": 1.0, "opened": 1.0, "deliveries": 0.0},
}
LIMITS = Limits(feed=20_000, drainer=2_000)


@pytest.mark.parametrize(
    ("name", "rows", "wanted", "found"),
    [
        ("two unknowns, two points", [[1, 2], [3, 4]], [5, 11], [1, 2]),
        ("a point too many", [[1, 0], [0, 1], [1, 1]], [2, 3, 5], [2, 3]),
        ("a cost below zero is none", [[1, 1], [1, 2]], [3, 2], [1.5, 0.6]),
        ("work that nobody did costs nothing", [[1, 0], [2, 0]], [3, 6], [3, 0]),
        ("sizes far apart", [[1e6, 1], [2e6, 5]], [11.0, 25.0], [1e-5, 1]),
    ],
)
def test_least_squares(name: str, rows: list[list[float]], wanted: list[float], found: list[float]) -> None:
    got = non_negative(rows, wanted)
    assert all(value >= 0 for value in got), name
    if name == "a cost below zero is none":
        assert sum(a * b for a, b in zip(rows[0], got, strict=True)) == pytest.approx(2.5, abs=0.3)
    else:
        assert got == pytest.approx(found, rel=1e-3, abs=1e-9), name


def test_what_made_the_samples_is_found_again() -> None:
    idle = {"seconds": 10.0, "gateway seconds": 10.0, "processor seconds": 10.0}
    loads = [
        idle,
        {**idle, "processor seconds": 20.0},
        {**idle, "gateway seconds": 20.0},
        {**idle, "requests": 50, "alerts": 5000, "folds": 5000},
        {**idle, "requests": 2000, "alerts": 2000, "folds": 2000},
        {**idle, "requests": 30, "alerts": 3000, "opened": 3000},
        {**idle, "requests": 500, "alerts": 500, "opened": 500, "deliveries": 500},
        {**idle, "requests": 30, "alerts": 3000, "folds": 3000, "copies": 3000, "writes": 150_000},
        {**idle, "requests": 30, "alerts": 3000, "folds": 3000, "copies": 3000, "writes": 3000},
    ]
    samples = [Sample(str(n), work, predicted(COSTS, work)) for n, work in enumerate(loads)]
    found = fit(samples)
    seen = {
        **dict.fromkeys(idle, 5.0),
        "requests": 100,
        "alerts": 900,
        "folds": 800,
        "opened": 100,
        "deliveries": 100,
        "copies": 900,
        "writes": 9000,
    }
    for error in errors(found, Sample("seen by nobody", seen, predicted(COSTS, seen)), ("gateway", "processor")):
        assert abs(error.percent) < 3, error


def test_pods_are_a_core_at_sixty_percent_and_two_at_least() -> None:
    small = size(Mix(10), COSTS)
    assert small.pods == {"gateway": 2, "processor": 2, "notifier": 2, "analytics": 1, "scheduler": 1}
    assert small.connections == 2 * 17 + 2 * 4 + 2 * 10 + 6 + 3
    large = size(Mix(10_000, sockets=0), COSTS)
    assert large.pods["processor"] == math.ceil(large.used["processor"] / 0.6)
    assert large.used["processor"] == pytest.approx(9000 * 100e-6 + 1000 * 300e-6 + 0.01 * large.pods["processor"])
    assert large.pods["notifier"] == 4, "1,000 deliveries of 2 ms"


def test_every_browser_of_a_workspace_gets_every_change() -> None:
    shared = size(Mix(1000, sockets=100), COSTS)
    apart = size(Mix(1000, sockets=100, workspaces=10), COSTS)
    assert shared.used["frames"] == apart.used["frames"] == 1000
    assert shared.used["gateway"] - apart.used["gateway"] == pytest.approx(90_000 * 10e-6, rel=0.2)
    assert Mix(1000, sockets=100).work(3, 1, COSTS["frames"])["copies"] == 3000, "one for each gateway with browsers"
    assert Mix(1000, sockets=0).work(3, 1, COSTS["frames"])["copies"] == 0


@pytest.mark.parametrize(
    ("name", "limits", "first", "alerts"),
    [
        ("the feed of the one workspace", LIMITS, "feed", 20_000),
        ("drainers", replace(LIMITS, feed=1e9, drainer=500), "shards", 16_000),
        ("a small PostgreSQL", replace(LIMITS, feed=1e9, postgres_cores=1.0), "PostgreSQL's CPU", 0.65 / 112e-6),
        ("a slow disk", replace(LIMITS, feed=1e9, wal_bytes=1e6), "log", 555.6),
    ],
)
def test_what_gives_first(name: str, limits: Limits, first: str, alerts: float) -> None:
    mix = Mix(100_000, sockets=0)
    found = stops(mix, COSTS, limits)
    assert first in found[0].name, name
    assert found[0].alerts == pytest.approx(alerts, rel=0.01)
    assert cells(mix, found) == math.ceil(100_000 / found[0].alerts)
    assert [stop.alerts for stop in found] == sorted(stop.alerts for stop in found)


def test_more_workspaces_move_the_feed_and_nothing_else() -> None:
    one, ten = (
        {stop.name: stop.alerts for stop in stops(Mix(1000, workspaces=n, sockets=0), COSTS, LIMITS)} for n in (1, 10)
    )
    moved = {name for name in one if one[name] != pytest.approx(ten[name])}
    assert moved == {"one workspace's feed: its commits go one after the other"}


def test_tables_are_put_between_their_marks() -> None:
    found = Calibration(
        "a machine", COSTS, LIMITS, 2500.0, 12.0, 1.5, 9, {"gateway": 2e8, "processor": 1e8, "notifier": 1e8}
    )
    document = "".join(f"<!-- {t.name} -->\nof yesterday\n<!-- /{t.name} -->\n" for t in scale_tables.tables(found))
    written = scale_tables.write(document + "<!-- conditions -->\n<!-- /conditions -->\nkept", found)
    assert "of yesterday" not in written
    assert written.endswith("kept")
    assert "2.4 KiB" in written
    assert scale_tables.write(written, found) == written
    with pytest.raises(ValueError, match="no place for costs"):
        scale_tables.write("nothing", found)


def test_the_document_says_what_was_measured() -> None:
    """docs/operations/sizing.md is made of tests/bench/calibration.json by `make bench-scale ARGS=--write`."""
    assert CALIBRATION.exists()
    text = DOCUMENT.read_text()
    assert scale_tables.write(text, stored()) == text
