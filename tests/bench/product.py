"""The product under load: a stack of its own, a rule to trigger, and a look at its processes and its backlog."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

import psutil
import psycopg

from convex_alerts.client import Client
from convex_dev.stack import Stack
from convex_dev.state import State
from tests.bench import load
from tests.bench.job import OBSERVATIONS, Job


class Product:
    """One installation without demo traffic, warmed up, with a rule that posts go to; in a workspace of its own."""

    def __init__(self, stack: Stack, workspace: str = "demo") -> None:
        self.stack = stack
        self.token = stack.token(workspace=workspace)
        self._client = Client(stack.url, self.token)
        self.framework_id = self._client.create("frameworks", {"name": f"bench {uuid.uuid4().hex[:8]}"})["id"]
        self.rule_id = self._rule(None)

    @property
    def job(self) -> Job:
        """A job for the rule that tells nobody but the WebSockets, as long as the workspace has no channels."""
        return Job(self.stack.url, self.token, self.rule_id)

    def webhook_job(self, port: int, channels: int = 1) -> Job:
        """A job for a rule of its own that posts each new alert to a port of this machine, once by each channel."""
        config = {"url": f"http://127.0.0.1:{port}/"}
        made = [
            self._client.create("channels", {"kind": "webhook", "name": f"port {port}, {n}", "config": config})["id"]
            for n in range(1, channels + 1)
        ]
        return Job(self.stack.url, self.token, self._rule(made), webhook_port=port, new_percent=100)

    def observing_job(self) -> Job:
        """A job of observations that a rule looks at, and on which it never fires."""
        self._rule(None, metric="observed")
        return replace(self.job, path=OBSERVATIONS, framework_id=self.framework_id)

    def warm_up(self) -> None:
        """Let caches, connections and plans come into being."""
        load.run(replace(self.job, rate=200, seconds=3, fingerprints=100))

    def _rule(self, channel_ids: list[str] | None, metric: str = "latency") -> str:
        draft = {
            "framework_id": self.framework_id,
            "name": f"{metric} {uuid.uuid4().hex[:8]}",
            "metric": metric,
            "condition": "above",
            "threshold_value": 500,
            "channel_ids": channel_ids,
        }
        return str(self._client.create("rules", draft)["id"])


@contextmanager
def product(env: Mapping[str, str] | None = None) -> Iterator[Product]:
    """A product that is ready and warm; `env` is added to its environment."""
    with Stack(env=env) as stack:
        found = Product(stack)
        found.warm_up()
        yield found


class Backlog:
    """Counts the rows of the inbox each second while it is open."""

    def __init__(self, owner_url: str) -> None:
        self.counts: list[int] = []
        self._owner_url = owner_url
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Count no more."""
        self._over.set()
        self._thread.join(timeout=10)

    def _sample(self) -> None:
        with psycopg.connect(self._owner_url, autocommit=True) as connection:
            due = time.monotonic()
            while not self._over.wait(max(0.0, due - time.monotonic())):
                row = connection.execute("SELECT count(*) FROM inbox").fetchone()
                self.counts.append(int(row[0]) if row else 0)
                due += 1.0


@dataclass(frozen=True)
class Shares:
    """Percent of one core: the product's by process, and everybody's together."""

    by_process: Mapping[str, float]
    machine: float

    def others(self, generator_share: float) -> float:
        """What neither the product nor the generator used: the noise."""
        return max(0.0, self.machine - sum(self.by_process.values()) - 100 * generator_share)


class Usage:
    """CPU that the product's processes use, their children's included, from its making on."""

    def __init__(self, state: State) -> None:
        self._processes = {p.name: psutil.Process(p.pid) for p in state.processes if p.pid is not None}
        self._before = {name: cpu_seconds(process) for name, process in self._processes.items()}
        self._machine = _idle()
        self._began = time.perf_counter()

    def shares(self) -> Shares:
        """What they used of it until now."""
        took = time.perf_counter() - self._began
        return Shares(
            {
                name: 100 * max(0.0, cpu_seconds(process) - self._before[name]) / took
                for name, process in self._processes.items()
            },
            100 * ((psutil.cpu_count() or 1) - (_idle() - self._machine) / took),
        )


def used(percent: Mapping[str, float]) -> str:
    """What a table shows of it."""
    return ", ".join(f"{name} {share:.0f}" for name, share in percent.items() if share >= 0.5)


def _idle() -> float:
    times = psutil.cpu_times()
    return float(times.idle + getattr(times, "iowait", 0.0))


def cpu_seconds(process: psutil.Process) -> float:
    """The process, its living children, and those that it has buried."""
    try:
        own = process.cpu_times()
        total = own.user + own.system + own.children_user + own.children_system
    except psutil.Error:
        return 0.0
    for child in process.children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return float(total)
