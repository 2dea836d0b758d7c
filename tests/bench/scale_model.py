"""What a load costs, by stage: straight lines through measured points, and what they say about other loads.

Pure: no clock, no process, no store. `fit` learns what each unit of work costs, `size` says what a load needs, and
`stops` where it ends. The unit of load is an alert that comes in: a trigger, whether it folds or opens something new.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

Amounts = Mapping[str, float]

WORK: Mapping[str, tuple[str, ...]] = {
    "gateway": ("gateway seconds", "requests", "alerts", "observations", "copies", "writes"),
    "processor": ("processor seconds", "requests", "folds", "opened", "observations", "deliveries"),
    "notifier": ("seconds", "deliveries"),
    "postgres": ("seconds", "processor seconds", "requests", "folds", "opened", "observations", "deliveries"),
    "broker": ("seconds", "processor seconds", "requests", "deliveries"),
    "cache": ("seconds", "folds", "opened", "deliveries", "copies"),
    "broker commands": ("seconds", "processor seconds", "requests", "deliveries"),
    "broker bytes": ("seconds", "processor seconds", "requests", "deliveries"),
    "cache commands": ("seconds", "requests", "folds", "opened", "deliveries"),
    "cache bytes in": ("seconds", "folds", "opened", "deliveries"),
    "cache bytes out": ("seconds", "folds", "opened", "deliveries", "copies"),
    "transactions": ("seconds", "processor seconds", "requests", "deliveries"),
    "rows": ("seconds", "requests", "folds", "opened", "observations", "deliveries"),
    "WAL bytes": ("seconds", "requests", "folds", "opened", "observations", "deliveries"),
    "disk writes": ("seconds", "requests", "folds", "opened", "observations", "deliveries"),
    "disk syncs": ("seconds", "processor seconds", "requests", "deliveries"),
    "disk bytes": ("folds", "opened", "observations", "deliveries"),
    "frames": ("folds", "opened", "deliveries"),
}
"""What each cost can come from. A line through everything would explain noise with what has no part in it."""

ROUNDS = 4000


@dataclass(frozen=True)
class Sample:
    """One measured run: the work that was done in it, and what was used."""

    name: str
    work: Amounts
    used: Amounts


def fit(samples: Sequence[Sample], costs: Mapping[str, Sequence[str]] = WORK) -> dict[str, dict[str, float]]:
    """The cost of a unit of each kind of work: non-negative least squares of the relative errors."""
    found: dict[str, dict[str, float]] = {}
    for name, kinds in costs.items():
        wanted = [sample.used[name] for sample in samples]
        floor = 0.05 * max((abs(value) for value in wanted), default=0.0) or 1.0
        weights = [1.0 / (abs(value) + floor) for value in wanted]
        rows = [
            [sample.work.get(kind, 0.0) * weight for kind in kinds]
            for sample, weight in zip(samples, weights, strict=True)
        ]
        values = [value * weight for value, weight in zip(wanted, weights, strict=True)]
        found[name] = dict(zip(kinds, non_negative(rows, values), strict=True))
    return found


def non_negative(rows: Sequence[Sequence[float]], wanted: Sequence[float]) -> list[float]:
    """The coefficients, none below zero, that bring `rows` nearest to `wanted`: one after the other until they rest."""
    width = len(rows[0]) if rows else 0
    columns = [[row[n] for row in rows] for n in range(width)]
    lengths = [sum(value * value for value in column) for column in columns]
    found = [0.0] * width
    rest = list(wanted)
    for _ in range(ROUNDS):
        moved = 0.0
        for n, (column, length) in enumerate(zip(columns, lengths, strict=True)):
            if not length:
                continue
            step = sum(value * left for value, left in zip(column, rest, strict=True)) / length
            step = max(step, -found[n])
            if step:
                found[n] += step
                rest = [left - step * value for left, value in zip(rest, column, strict=True)]
                moved = max(moved, step * step * length)
        if moved < 1e-16:
            break
    return found


def predicted(costs: Mapping[str, Amounts], work: Amounts) -> dict[str, float]:
    """What the work uses."""
    return {name: sum(cost * work.get(kind, 0.0) for kind, cost in kinds.items()) for name, kinds in costs.items()}


@dataclass(frozen=True)
class Mix:
    """What comes in, and who is told. Everything a second."""

    alerts: float
    folded: float = 0.9
    """The share that folds into open alerts."""
    batch: float = 20.0
    """Alerts a request."""
    deliveries: float = 1.0
    """Of each alert that is opened."""
    observations: float = 0.0
    workspaces: int = 1
    """Which share the load, and the sockets, evenly."""
    sockets: int = 100
    """Open in all."""

    @property
    def opened(self) -> float:
        return self.alerts * (1.0 - self.folded)

    def work(self, gateways: int, processors: int, frames: Amounts) -> dict[str, float]:
        """The work of a second. `frames` says how many a unit of it makes; each of a workspace's sockets gets all."""
        done = {
            "seconds": 1.0,
            "gateway seconds": float(gateways),
            "processor seconds": float(processors),
            "requests": self.alerts / self.batch + self.observations / 500.0,
            "alerts": self.alerts,
            "folds": self.alerts * self.folded,
            "opened": self.opened,
            "deliveries": self.opened * self.deliveries,
            "observations": self.observations,
        }
        made = sum(cost * done.get(kind, 0.0) for kind, cost in frames.items())
        spread = self.sockets / self.workspaces
        return {**done, "copies": made * min(gateways, spread), "writes": made * spread}


@dataclass(frozen=True)
class Limits:
    """The ends that were measured, or that hardware has; those of the second kind are assumptions."""

    feed: float
    """Changes a second of one workspace, whose commits its feed's row puts one after the other, in full batches."""
    drainer: float
    """Events a second of one drainer with a full inbox."""
    shards: int = 64
    postgres_cores: float = 32.0
    wal_bytes: float = 300e6
    redis_cores: float = 1.0
    network_bytes: float = 1.25e9
    full: float = 0.7
    """How much of a store is used before it is called full."""


POD_CORES = 1.0
"""A Python process can use little more."""

BUSY = 0.6
"""How much of a pod's CPU request is used on average, so that it can take what a failing neighbour had."""

POOLS = {"gateway": 17, "processor": 4, "notifier": 10, "analytics": 6, "scheduler": 3}
"""Connections to PostgreSQL that a pod opens at most, with default settings."""


@dataclass(frozen=True)
class Size:
    """What a load needs, by the model."""

    mix: Mix
    used: Amounts
    pods: Mapping[str, int]
    connections: int

    @property
    def disk_per_day(self) -> float:
        """Bytes that the database grows by."""
        return self.used["disk bytes"] * 86_400


def size(mix: Mix, costs: Mapping[str, Amounts]) -> Size:
    """Pods of a core each at 60 %, two at least, and what the stores have to do for them."""
    per_pod = BUSY * POD_CORES
    pods = {"gateway": 2, "processor": 2, "notifier": 2}
    used: dict[str, float] = {}
    for _ in range(20):  # more gateways get more copies, more processes poll more
        used = predicted(costs, mix.work(pods["gateway"], pods["processor"], costs["frames"]))
        wanted = {name: max(2, math.ceil(used[name] / per_pod)) for name in pods}
        if wanted == pods:
            break
        pods = wanted
    pods = {**pods, "analytics": 1, "scheduler": 1}
    return Size(mix, used, pods, sum(POOLS[name] * count for name, count in pods.items()))


@dataclass(frozen=True)
class Stop:
    """One end: at which load of this mix it comes, and what to do then."""

    name: str
    alerts: float
    measured: bool
    then: str


def stops(mix: Mix, costs: Mapping[str, Amounts], limits: Limits) -> list[Stop]:
    """The ends of one installation, the nearest first."""

    def at(name: str, most: float) -> float:
        return _load_at(mix, costs, name, most)

    workers = limits.shards / 2
    found = [
        Stop(
            "one workspace's feed: its commits go one after the other",
            at("frames", limits.feed * mix.workspaces),
            True,
            "larger PROCESSOR_BATCH; spread the load over workspaces",
        ),
        Stop(
            f"the inbox's {limits.shards} shards: {workers:.0f} drainers at work at once",
            limits.drainer * workers,
            True,
            "more than that many processors ÷ 2 gain nothing: cells",
        ),
        Stop(
            f"PostgreSQL's CPU: {limits.postgres_cores:.0f} cores at {limits.full:.0%}",
            at("postgres", limits.postgres_cores * limits.full),
            False,
            "larger batches at the senders; a larger server; cells",
        ),
        Stop(
            f"PostgreSQL's log: {limits.wal_bytes / 1e6:.0f} MB/s",
            at("WAL bytes", limits.wal_bytes),
            False,
            "a faster disk for pg_wal; wal_compression; cells",
        ),
        Stop(
            f"the cache Redis's one thread at {limits.full:.0%}",
            at("cache", limits.redis_cores * limits.full),
            False,
            "fewer, larger gateways, which get a copy each; a cache of its own a cell",
        ),
        Stop(
            f"the broker Redis's one thread at {limits.full:.0%}",
            at("broker", limits.redis_cores * limits.full),
            False,
            "larger batches at the senders: a request is a hint",
        ),
        Stop(
            f"the cache Redis's network: {limits.network_bytes * 8 / 1e9:.0f} Gbit/s at {limits.full:.0%}",
            at("cache bytes out", limits.network_bytes * limits.full),
            False,
            "fewer, larger gateways; cells",
        ),
    ]
    return sorted(found, key=lambda stop: stop.alerts)


MOST = 1e7


def _load_at(mix: Mix, costs: Mapping[str, Amounts], name: str, most: float) -> float:
    """The rate at which the mix uses `most` of something; infinite where ten million a second do not."""

    def used(alerts: float) -> float:
        scaled = replace(
            mix,
            alerts=alerts,
            observations=mix.observations * alerts / mix.alerts,
            sockets=mix.sockets,
        )
        return size(scaled, costs).used[name]

    low, high = 1.0, MOST
    if used(high) < most:
        return math.inf
    for _ in range(20):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if used(middle) < most else (low, middle)
    return low


def cells(mix: Mix, found: Sequence[Stop]) -> int:
    """Installations, each with stores of its own, that share the load."""
    return max(1, math.ceil(mix.alerts / found[0].alerts))


@dataclass(frozen=True)
class Error:
    """How far the model was from a run that it had not seen."""

    name: str
    stage: str
    predicted: float
    measured: float

    @property
    def percent(self) -> float:
        return 100.0 * (self.predicted - self.measured) / self.measured if self.measured else float("nan")


def errors(costs: Mapping[str, Amounts], held_out: Sample, names: Sequence[str]) -> list[Error]:
    """Beside a run that had no part in the fit."""
    said = predicted(costs, held_out.work)
    return [Error(held_out.name, name, said[name], held_out.used[name]) for name in names]


@dataclass(frozen=True)
class Calibration:
    """What was measured on some machine, as the tables of docs/operations/sizing.md are made from."""

    machine: str
    costs: Mapping[str, Amounts]
    limits: Limits
    socket_bytes: float
    worst_error: float
    """Percent, of the runs that were held out."""
    load: float
    """The machine's load average before a run, the median: with its own, what else ran on it."""
    runs: int
    memory: Mapping[str, float]
    """Bytes that a process of a service was seen with at most, without sockets."""
