"""The model's answers as tables: on the terminal, and between the marks of docs/operations/sizing.md."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tests.bench.scale_meters import CPU
from tests.bench.scale_model import (
    BUSY,
    POOLS,
    Amounts,
    Calibration,
    Mix,
    Size,
    cells,
    predicted,
    size,
    stops,
)

MIXES: Mapping[str, Mix] = {
    "1,000/s": Mix(1_000, workspaces=10, sockets=100),
    "10,000/s": Mix(10_000, workspaces=100, sockets=1_000),
    "100,000/s": Mix(100_000, workspaces=1_000, sockets=10_000),
}
"""The load of the tables: nine of ten alerts fold, twenty a request, one delivery of what is new; a hundred alerts a
second and ten open browsers a workspace."""

USUAL = Mix(1_000, workspaces=10, sockets=100)
OTHER_MIXES: Mapping[str, Mix] = {
    "as in the tables": USUAL,
    "every alert a request of its own": replace(USUAL, batch=1),
    "99 of 100 fold": replace(USUAL, folded=0.99),
    "every alert is new, one delivery": replace(USUAL, folded=0.0),
    "every alert is new, three deliveries": replace(USUAL, folded=0.0, deliveries=3),
    "and 10,000 observations/s": replace(USUAL, observations=10_000),
    "nobody watches": replace(USUAL, sockets=0),
    "one workspace, 100 browsers": replace(USUAL, workspaces=1),
    "one workspace, 1,000 browsers": replace(USUAL, workspaces=1, sockets=1_000),
}

UNITS = {
    "requests": "request",
    "folds": "alert that folds",
    "opened": "alert that opens",
    "alerts": "alert (either)",
    "deliveries": "delivery (webhook)",
    "observations": "observation",
    "copies": "change, to a gateway with browsers",
    "writes": "change, to a browser",
}


WORDS = ("how it is known", "what to do then", "what gives first")
"""Columns that hold no numbers."""


@dataclass(frozen=True)
class Table:
    """Rows for people."""

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    @property
    def markdown(self) -> str:
        rules = ["---" if n == 0 or column in WORDS else "---:" for n, column in enumerate(self.columns)]
        lines = [self.columns, rules, *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tables(found: Calibration) -> list[Table]:
    """All that the documentation has."""
    sizes = {name: size(mix, found.costs) for name, mix in MIXES.items()}
    return [_unit_costs(found), _pods(sizes, found), _stores(sizes), _mixes(found), _stops(found), _cells(found)]


def _unit_costs(found: Calibration) -> Table:
    rows = [
        [
            told,
            *(number(1e6 * found.costs[stage].get(kind, 0.0)) for stage in CPU),
            number(found.costs["WAL bytes"].get(kind, 0.0) / 1000, 2),
        ]
        for kind, told in UNITS.items()
    ]
    columns = ["µs of CPU for each", *(stage.replace("postgres", "PostgreSQL") for stage in CPU), "WAL, kB"]
    return Table("costs", "What a unit of work costs", columns, rows)


def _pods(sizes: Mapping[str, Size], measured: Calibration) -> Table:
    services = ("gateway", "processor", "notifier")
    rows = [
        [service, *(f"{found.used[service]:.1f} cores, {found.pods[service]} pods" for found in sizes.values())]
        for service in services
    ]
    rows.append(["all three, memory", *(f"{_memory(found, measured) / 2**30:.1f} GiB" for found in sizes.values())])
    return Table("pods", f"Pods of one core at {BUSY:.0%}, two at least", ["alerts", *sizes], rows)


def _stores(sizes: Mapping[str, Size]) -> Table:
    def row(told: str, amount: str, unit: float, digits: int = 1) -> list[str]:
        return [told, *(number(found.used[amount] / unit, digits) for found in sizes.values())]

    rows = [
        row("PostgreSQL: cores", "postgres", 1),
        row("PostgreSQL: transactions/s", "transactions", 1, 0),
        row("PostgreSQL: WAL, MB/s", "WAL bytes", 1e6),
        ["PostgreSQL: growth, GB a day", *(number(found.disk_per_day / 1e9, 0) for found in sizes.values())],
        ["PostgreSQL: connections", *(str(found.connections) for found in sizes.values())],
        row("broker Redis: cores", "broker", 1, 2),
        row("broker Redis: commands/s", "broker commands", 1, 0),
        row("broker Redis: MB/s", "broker bytes", 1e6),
        row("cache Redis: cores", "cache", 1, 2),
        row("cache Redis: commands/s", "cache commands", 1, 0),
        row("cache Redis: MB/s in", "cache bytes in", 1e6),
        row("cache Redis: MB/s out", "cache bytes out", 1e6),
    ]
    return Table("stores", "What the stores do", ["alerts", *sizes], rows)


def _mixes(found: Calibration) -> Table:
    rows = []
    for name, mix in OTHER_MIXES.items():
        needed = size(mix, found.costs)
        rows.append(
            [
                name,
                *(number(needed.used[stage], 2) for stage in CPU),
                number(needed.used["WAL bytes"] / 1e6),
                number(needed.disk_per_day / 1e9, 0),
            ]
        )
    columns = ["1,000 alerts/s", *CPU, "WAL, MB/s", "GB a day"]
    return Table("mixes", "Other loads: cores", [c.replace("postgres", "PostgreSQL") for c in columns], rows)


def _stops(found: Calibration) -> Table:
    mix = MIXES["10,000/s"]
    rows = [
        [stop.name, _rate(stop.alerts), "measured" if stop.measured else "extrapolated", stop.then]
        for stop in stops(mix, found.costs, found.limits)
    ]
    return Table(
        "stops", "Where one installation stops", ["what gives", "alerts/s", "how it is known", "what to do then"], rows
    )


def _cells(found: Calibration) -> Table:
    rows = []
    for name, mix in MIXES.items():
        ends = stops(mix, found.costs, found.limits)
        rows.append([name, ends[0].name, _rate(ends[0].alerts), str(cells(mix, ends))])
    return Table("cells", "Installations", ["alerts", "what gives first", "at", "installations"], rows)


def plot(costs: Mapping[str, Amounts], mix: Mix, width: int = 60) -> str:
    """Where the CPU of an alert goes, as bars."""
    work = mix.work(2, 2, costs["frames"])
    variable = {kind: amount for kind, amount in work.items() if not kind.endswith("seconds")}
    spent = {stage: 1e6 * predicted(costs, variable)[stage] / mix.alerts for stage in CPU}
    most = max(spent.values()) or 1.0
    lines = [f"{stage:>10} {'█' * round(width * value / most)} {value:.0f} µs" for stage, value in spent.items()]
    return "\n".join([*lines, f"{'together':>10} {sum(spent.values()):.0f} µs of CPU an alert"])


def write(document: str, found: Calibration) -> str:
    """The document with its tables made anew."""
    for table in tables(found):
        document = replaced(document, table.name, table.markdown)
    return replaced(document, "conditions", conditions(found))


def replaced(document: str, name: str, text: str) -> str:
    """What stands between the marks of that name is the text."""
    marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not marks.search(document):
        raise ValueError(f"the document has no place for {name}")
    return marks.sub(lambda found: f"{found[1]}{text}\n{found[2]}", document)


def conditions(found: Calibration) -> str:
    """What the tables are worth."""
    pools = ", ".join(f"{name} {most}" for name, most in POOLS.items())
    return (
        f"Measured by {found.runs} runs on {found.machine}, load average {found.load:.1f}. "
        "Runs that the model had not seen, at another rate and with "
        f"more processes, used up to {found.worst_error:.0f} % more or less CPU than it said. A process of the "
        f"{', the '.join(f'{name} took {size / 2**20:.0f} MiB' for name, size in sorted(found.memory.items()))}, and a "
        f"socket {found.socket_bytes / 1024:.1f} KiB of its gateway. Connections to PostgreSQL a pod, at most: {pools}."
    )


def number(value: float, digits: int = 1) -> str:
    """With as many digits as are worth something."""
    if math.isinf(value):
        return "∞"
    if value and abs(value) < 0.5 * 10**-digits:
        return f"< {10**-digits:g}"
    return f"{value:,.{0 if value >= 100 else digits}f}"


def _rate(alerts: float) -> str:
    if math.isinf(alerts) or alerts > 5e6:
        return "> 5 million"
    rounded = float(f"{alerts:.2g}")
    return f"{rounded:,.0f}"


def _memory(found: Size, measured: Calibration) -> float:
    processes = sum(measured.memory[service] * found.pods[service] for service in measured.memory)
    return processes + found.mix.sockets * measured.socket_bytes
