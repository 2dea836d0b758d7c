"""What an alert costs by stage, how processors add up, and what the model says of loads that this machine cannot make.

    make bench-scale [ARGS="--quick --write"]

`--write` keeps what was measured in tests/bench/calibration.json and makes the tables of docs/operations/sizing.md
anew.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import psycopg

from tests.bench import conditions, report
from tests.bench.load import ROOT
from tests.bench.report import Gate
from tests.bench.scale_limits import BATCH, Writing, feed
from tests.bench.scale_meters import CPU, STORES
from tests.bench.scale_model import POOLS, Calibration, Error, Limits, errors, fit
from tests.bench.scale_runs import Case, Drain, Installation, Outcome, installation
from tests.bench.scale_tables import USUAL, plot, tables, write

CALIBRATION: Final = ROOT / "tests" / "bench" / "calibration.json"
DOCUMENT: Final = ROOT / "docs" / "operations" / "sizing.md"

IDLE = Case("idle", batch=0)
MIXED = Case("mixed: 10 % new, one delivery", 400, 20, new_percent=10, deliveries=1)

ONE = (
    IDLE,
    Case("folds, in hundreds", 500),
    Case("folds, in hundreds", 1500),
    Case("folds, single posts", 150, 1),
    Case("all new, in hundreds", 400, new_percent=100),
    Case("all new, one delivery", 60, 20, new_percent=100, deliveries=1),
    Case("all new, three deliveries", 40, 20, new_percent=100, deliveries=3),
    Case("observations, in 500s", 5000, 500, observations=True),
    Case("folds, 50 browsers", 400, sockets=50),
    Case("folds, in hundreds, as fast as answered", 0, new_percent=10, learnt=False),
)
TWO = (IDLE, MIXED, Case("folds, a browser at each gateway", 400, sockets=1))
HELD_OUT = (
    Case("held out: mixed, four processors", 600, 20, new_percent=10, deliveries=1, sockets=25, learnt=False),
    Case("folds, in hundreds, as fast as answered", 0, new_percent=10, learnt=False),
)
FASTER = Case("held out: folds, thrice the rate", 3000, learnt=False)
SIZES: Final = ((1, 1, (*ONE, FASTER)), (2, 2, TWO), (4, 1, HELD_OUT))
"""Processors, gateways, and what is tried with them."""

MOST_ERROR = 40.0
"""Percent by which the CPU of all stages may differ from what the model says of a run that it has not seen."""


@dataclass
class Findings:
    """All rounds."""

    outcomes: list[Outcome] = field(default_factory=list)
    drains: list[Drain] = field(default_factory=list)
    writings: list[Writing] = field(default_factory=list)
    socket_bytes: list[float] = field(default_factory=list)
    memory: dict[str, list[int]] = field(default_factory=dict)
    """Of each process of a service, at the end of an installation."""
    loads: list[float] = field(default_factory=list)
    """The machine's load average before each run."""
    stores: str = ""

    def of(self, wanted: Callable[[Outcome], bool]) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if wanted(outcome)]

    def idle(self, outcome: Outcome) -> dict[str, float]:
        """What an installation of the outcome's size uses in a second of doing nothing."""
        nearest = self.of(lambda o: o.case == IDLE and o.processors <= outcome.processors)[-1]
        seconds = nearest.sample.work["seconds"]
        return {name: nearest.sample.used[name] / seconds for name in nearest.sample.used}

    def each(self, outcome: Outcome, name: str) -> float:
        """Of an alert or observation, beyond what idling takes."""
        idle = self.idle(outcome)[name] * outcome.sample.work["seconds"]
        return max(0.0, outcome.sample.used[name] - idle) / max(1.0, outcome.accepted)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and compare the model with what it has not seen."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round: a look, not a proof")
    parser.add_argument("--write", action="store_true", help="keep the calibration and write the document's tables")
    given = parser.parse_args(arguments)
    conditions.machine()
    found = _measured(quick=given.quick)
    costs = fit([outcome.sample for outcome in found.outcomes if outcome.case.learnt])
    off = [
        error
        for outcome in found.of(lambda o: o.case.name.startswith("held out"))
        for error in errors(costs, outcome.sample, CPU)
    ]
    calibration = Calibration(
        machine=conditions.short(),
        costs=costs,
        limits=_limits(found),
        socket_bytes=statistics.median(found.socket_bytes),
        worst_error=max(abs(error.percent) for error in _together(off)),
        load=statistics.median(found.loads),
        runs=len(found.outcomes),
        memory={name: max(sizes) for name, sizes in found.memory.items()},
    )
    _print(found, calibration, off)
    if given.write:
        CALIBRATION.write_bytes(msgspec.json.format(msgspec.json.encode(calibration, order="sorted"), indent=1) + b"\n")
        DOCUMENT.write_text(write(DOCUMENT.read_text(), calibration))
        report.say(f"written: {CALIBRATION.relative_to(ROOT)}, {DOCUMENT.relative_to(ROOT)}")


def _measured(*, quick: bool) -> Findings:
    found, rounds, seconds = Findings(), 1 if quick else 3, 4.0 if quick else 9.0
    for number in range(rounds):
        for processors, gateways, cases in SIZES:
            with installation(processors, gateways) as installed:
                found.stores = conditions.durability(installed.stack.owner_url)
                for case in cases:
                    report.say(
                        f"scale: round {number + 1} of {rounds}, {processors} processors, {gateways} gateways: "
                        f"{case.name}{f', {case.rate:,.0f}/s' if case.rate else ''}; {conditions.load()} …"
                    )
                    found.loads.append(os.getloadavg()[0])
                    found.outcomes.append(installed.measure(case, seconds))
                report.say(f"scale: a full inbox and {processors} processors …")
                found.drains.append(installed.drain(5_000 if quick else 20_000))
                for service in ("gateway", "processor", "notifier"):
                    found.memory.setdefault(service, []).extend(installed.meters.memory(service))
                if processors == 1:
                    _measure_ends(found, installed, quick=quick)
    return found


def _measure_ends(found: Findings, installed: Installation, *, quick: bool) -> None:
    report.say("scale: one workspace's feed, and sockets that do nothing …")
    stack = installed.stack
    for name in ("feed-1", "feed-2", "feed-3", "feed-4", "feed-5", "feed-6", "feed-7", "feed-8"):
        stack.token(workspace=name)
    with psycopg.connect(stack.owner_url) as owner:
        ids = [row[0] for row in owner.execute("SELECT id FROM workspaces WHERE slug LIKE 'feed-%' ORDER BY slug")]
    for workspaces, writers, rows in ((1, 1, 1), (1, 8, 1), (8, 8, 1), (1, 2, BATCH), (8, 8, BATCH)):
        found.writings.append(feed(stack.database_url, ids[:workspaces], writers, rows, 1.0 if quick else 3.0))
    found.socket_bytes.append(installed.socket_bytes(500 if quick else 2000))


def _limits(found: Findings) -> Limits:
    one = [drain for drain in found.drains if drain.processors == 1]
    return Limits(
        feed=report.median([w.changes for w in found.writings if w.workspaces == 1 and w.rows == BATCH]),
        drainer=report.median([drain.rate for drain in one]) / DRAINERS,
    )


DRAINERS = 2
"""PROCESSOR_DRAINERS."""


def _together(off: Sequence[Error]) -> list[Error]:
    """Of all stages of a run: what a machine has to have."""
    runs = [off[start : start + len(CPU)] for start in range(0, len(off), len(CPU))]
    return [
        Error(run[0].name, "all", sum(error.predicted for error in run), sum(error.measured for error in run))
        for run in runs
    ]


def _print(found: Findings, calibration: Calibration, off: Sequence[Error]) -> None:
    groups: dict[tuple[int, int, Case], list[Outcome]] = {}
    for outcome in found.of(lambda o: o.case != IDLE):
        groups.setdefault((outcome.processors, outcome.gateways, outcome.case), []).append(outcome)
    report.table(
        "CPU, µs for each alert or observation, beyond idling: median of runs (min–max)",
        ("load", "processors, gateways", "accepted/s", "done/s", *CPU, "all"),
        [
            (
                _named(case),
                f"{processors}, {gateways}",
                report.spread([o.offered for o in group], 0),
                report.spread([o.finished for o in group], 0),
                *(report.spread([1e6 * found.each(o, stage) for o in group], 0) for stage in CPU),
                report.spread([1e6 * sum(found.each(o, stage) for stage in CPU) for o in group], 0),
            )
            for (processors, gateways, case), group in groups.items()
        ],
        caption="done: until deliveries, too, were finished; the generator, the webhooks' receiver and the browsers "
        f"share the cores and are not counted; {found.stores}",
    )
    for title, names in (("The Redis of queues and cache", STORES[:5]), ("PostgreSQL, and changes to see", STORES[5:])):
        report.table(
            f"{title}, for each alert or observation, beyond idling: median of runs",
            ("load", "processors, gateways", *names),
            [
                (
                    _named(case),
                    f"{processors}, {gateways}",
                    *(f"{report.median([found.each(o, name) for o in group]):,.2f}" for name in names),
                )
                for (processors, gateways, case), group in groups.items()
            ],
            caption="disk writes and syncs: by sessions and workers, nearly all of them of the log; the checkpointer's "
            "are not counted"
            if "disk syncs" in names
            else "",
        )
    _print_ends(found, calibration)
    report.table(
        "The model beside runs that it was not fitted to: CPU seconds",
        ("run", "stage", "predicted", "measured", "off by %"),
        [(e.name, e.stage, f"{e.predicted:.2f}", f"{e.measured:.2f}", f"{e.percent:+.0f}") for e in _with_all(off)],
        caption="busier processes take more at once, and a batch costs as much as a few alerts, so that the model says "
        "too much of them; what else ran on the machine makes the rest",
    )
    for table in tables(calibration):
        report.table(table.title, table.columns, table.rows)
    report.say(
        "\nWhere an alert's CPU goes: nine of ten fold, twenty a request, one delivery, ten browsers a workspace"
    )
    report.say(plot(calibration.costs, USUAL))
    report.gates(
        "Targets",
        [
            report.none("errors in all runs", [o.errors for o in found.outcomes]),
            report.at_most("the model's error, all stages together", [calibration.worst_error], MOST_ERROR, "%"),
            *(
                Gate(f"connections of a {name}", f"≤ {most}", str(seen), seen <= most)
                for name, most in POOLS.items()
                if (seen := _connections(found, name)) is not None
            ),
        ],
    )


def _print_ends(found: Findings, calibration: Calibration) -> None:
    counts = sorted({drain.processors for drain in found.drains})
    report.table(
        "A full inbox, nine of ten fold, nothing else going on: events/s",
        ("processors", "events/s", "their cores", "beside one"),
        [
            (
                str(count),
                report.spread([d.rate for d in found.drains if d.processors == count], 0),
                report.spread([d.cores for d in found.drains if d.processors == count], 2),
                f"× {_drained(found, count) / _drained(found, 1):.2f}",
            )
            for count in counts
        ],
        caption="on this machine's cores, which PostgreSQL shares: what more processors bring here is bounded by "
        "them; an alert's CPU is the figure that holds elsewhere",
    )
    seen = sorted({(w.workspaces, w.writers, w.rows) for w in found.writings})
    report.table(
        "Commits that take offsets of a feed",
        ("workspaces", "writers", "changes a commit", "commits/s", "changes/s"),
        [
            (
                str(workspaces),
                str(writers),
                str(rows),
                report.spread([w.commits for w in same], 0),
                report.spread([w.changes for w in same], 0),
            )
            for workspaces, writers, rows in seen
            if (same := [w for w in found.writings if (w.workspaces, w.writers, w.rows) == (workspaces, writers, rows)])
        ],
        caption="one workspace: the feed's row is held until the commit is on disk, so that one follows the other; "
        f"a socket that does nothing takes {calibration.socket_bytes / 1024:.1f} KiB of the gateway",
    )


def _drained(found: Findings, processors: int) -> float:
    return report.median([drain.rate for drain in found.drains if drain.processors == processors])


def _named(case: Case) -> str:
    return f"{case.name}, {case.rate:,.0f}/s" if case.rate else case.name


def _with_all(off: Sequence[Error]) -> list[Error]:
    runs = [off[start : start + len(CPU)] for start in range(0, len(off), len(CPU))]
    return [error for run, whole in zip(runs, _together(off), strict=True) for error in (*run, whole)]


def _connections(found: Findings, service: str) -> int | None:
    """The most that a process of a service was seen with."""
    counts = []
    for outcome in found.outcomes:
        processes = {"gateway": outcome.gateways, "processor": outcome.processors}.get(service, 1)
        names = (f"convex-{service}", f"{service} inbox")
        if total := sum(outcome.connections.get(name, 0) for name in names):
            counts.append(-(-total // processes))
    return max(counts, default=None)


def stored(path: Path = CALIBRATION) -> Calibration:
    """What was kept of the last measurement."""
    return msgspec.json.decode(path.read_bytes(), type=Calibration)


if __name__ == "__main__":
    main()
