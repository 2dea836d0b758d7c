"""Dashboards that read and triggers that change what they read, in simulated time on real stores."""

from __future__ import annotations

import random
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from heapq import heapify, heappop, heappush
from pathlib import Path
from typing import Final

import psycopg
from prometheus_client import CollectorRegistry

from convex_common.measures import Measures
from convex_common.metrics import Metrics
from convex_common.postgres import migrate
from convex_common.postgres.async_database import AsyncDatabase
from convex_common.postgres.bootstrap import ensure_members, ensure_workspace
from convex_common.postgres.database import Database, connect
from convex_common.postgres.positions import raise_version
from convex_common.redis.cache.cache import Cache
from convex_common.redis.cache.classes import CLASSES, PATTERNS, STATISTICS
from convex_common.redis.cache.counts import CacheCounts
from convex_common.redis.cache.positions import Positions
from convex_common.redis.live import LivePublisher
from convex_dev.stores.postgres import SERVICE
from convex_gateway.positions import in_database
from convex_processor.batches import BatchProcessor
from convex_processor.configurations import Configurations
from convex_processor.drainer import ClaimLimits, Drainer
from convex_processor.handler import EventHandler
from tests.support.postgres import Store, running_server
from tests.support.processing import IDS, Bench
from tests.support.rest import Api, Remembered, gateway_of
from tests.support.valkey import Valkey

FRAMEWORKS: Final = (30, 20, 15, 12, 9, 6, 5, 3)
"""How many of a hundred triggers each framework gets."""

SEVERITIES: Final = (("critical", 5), ("error", 15), ("warning", 55), ("info", 25))
RESOLVES: Final = 0.25
DASHBOARDS: Final = 10


@dataclass(frozen=True)
class Mix:
    """How often dashboards ask, in seconds: lists, and figures and the rest. `searching`: typed searches a minute."""

    name: str
    lists: float
    figures: float
    searching: float = 0.0


MIXES: Final = (
    Mix("every 5 s, as Grafana's quickest", 5, 30),
    Mix("every 10 s", 10, 60),
    Mix("worse: every 30 s, and each searches twice a minute", 30, 120, 2),
)

WIDGETS: Final = (
    "/alerts?severity=critical&status=firing&status=acknowledged&limit=50",
    "/alerts?severity=critical&severity=error&status=firing&limit=50",
    "/alerts?framework_id={mine}&status=firing&status=acknowledged&limit=50",
    "/alerts?framework_id={mine}&severity=critical&severity=error&limit=50",
    "/alerts?framework_id={mine}&status=resolved&limit=20",
)
"""A dashboard's lists: what is critical anywhere, what fires and is bad, my framework's open ones, its bad ones, its
last resolved ones."""

FIGURES: Final = ("/analytics/summary", "/analytics/summary?framework_id={mine}", "/rules?framework_id={mine}")


class Simulation:
    """One gateway and one processor, driven by a clock that jumps from one thing that happens to the next."""

    def __init__(self, store: Store, valkey: Valkey, mix: Mix) -> None:
        self._random = random.Random(4)
        self._mix = mix
        self._store = store
        self._bench = Bench.of(store)
        self._publisher = LivePublisher(valkey.url, "bench", within=5.0)
        self._now = 1_000_000.0
        self._threads = Database(store.url, "bench", size=2)
        self._threads.open()
        database = AsyncDatabase(store.url, "bench")
        gateway = gateway_of(database, self._threads, Remembered(), publisher=self._publisher)
        self._positions = Positions(in_database(database), clock=lambda: self._now)
        gateway.cache = Cache(
            valkey.url, "bench", self._positions, gateway.metrics, within=5.0, clock=lambda: self._now
        )
        self._api = Api(store, gateway, self._threads, Remembered())
        self._frameworks = [self._api.framework(f"framework {n}") for n in range(len(FRAMEWORKS))]
        self._rules = {
            (framework, severity): uuid.UUID(self._api.rule(framework, name=severity, severity=severity)["id"])
            for framework in self._frameworks
            for severity, _ in SEVERITIES
        }
        metrics = Metrics(CollectorRegistry())
        configurations = Configurations(CacheCounts("rules", metrics))
        self._drainer = Drainer(
            lambda: connect(store.url, "bench", repeats=True),
            lambda connection: BatchProcessor(
                connection,
                EventHandler(connection, configurations, IDS),
                self._publisher,
                self._bench.outbox,
                metrics,
                Measures(),
            ),
            ClaimLimits(),
        )

    def run(self, seconds: int) -> dict[str, tuple[float, float]]:
        """Hits and misses by class."""
        begin = self._now
        for at, happen in self._schedule(seconds):
            self._now = begin + at
            happen()
        registry = self._api.gateway.metrics.registry

        def counted(outcome: str, name: str) -> float:
            return registry.get_sample_value(f"cache_{outcome}_total", {"class": name}) or 0

        found = {kind.name: (counted("hits", kind.name), counted("misses", kind.name)) for kind in CLASSES}
        errors = sum(counted("errors", kind.name) for kind in CLASSES)
        assert not errors, f"{errors:.0f} look-ups failed: the rates would mean nothing"
        self._drainer.close()
        self._api.close()
        self._threads.close()
        self._publisher.close()
        return found

    def _schedule(self, seconds: int) -> Iterator[tuple[float, Callable[[], None]]]:
        """Everything that happens, in order: triggers at random with a mean of one a second, reads by the clock of
        each widget, which starts whenever its dashboard was opened."""
        happens: list[tuple[float, int, float, Callable[[], None]]] = []

        def every(period: float, happen: Callable[[], None]) -> None:
            happens.append((self._random.uniform(0, period), len(happens), period, happen))

        for number in range(DASHBOARDS):
            mine = self._frameworks[number // 2]
            for path in WIDGETS:
                every(self._mix.lists, partial(self._read, path.format(mine=mine)))
            for path in FIGURES:
                every(self._mix.figures, partial(self._read, path.format(mine=mine)))
            every(self._mix.figures, partial(self._read, f"/analytics/patterns?framework_id={mine}"))
            if self._mix.searching:
                every(60 / self._mix.searching, self._search)
        happens.append((seconds / 2, len(happens), seconds, self._recompute))
        heapify(happens)
        trigger_at = self._random.expovariate(1)
        while happens:
            if trigger_at < happens[0][0]:
                if trigger_at >= seconds:
                    return
                yield trigger_at, self._trigger
                trigger_at += self._random.expovariate(1)
                continue
            at, number, period, happen = heappop(happens)
            if at >= seconds:
                continue
            yield at, happen
            heappush(happens, (at + period, number, period, happen))

    def _read(self, path: str) -> None:
        answer = self._api.get(path, role="owner")
        assert answer.status_code == 200, answer.text

    def _search(self) -> None:
        """Somebody looks for something that nobody else looks for."""
        self._read(f"/alerts?q={self._random.randrange(10**9)}")

    def _recompute(self) -> None:
        """Statistics and patterns are computed anew, as a job does every half hour and every six hours."""
        with self._threads.transaction(self._store.workspace_id) as connection:
            for kind in (STATISTICS, PATTERNS):
                raise_version(connection, self._store.workspace_id, kind.name)

    def _trigger(self) -> None:
        (framework,) = self._random.choices(self._frameworks, FRAMEWORKS)
        (severity,) = self._random.choices([name for name, _ in SEVERITIES], [share for _, share in SEVERITIES])
        rule_id = self._rules[framework, severity]
        self._bench.framework_id = uuid.UUID(framework)
        resolved = self._random.random() < RESOLVES
        self._bench.trigger(rule_id, resolved=resolved, labels={"host": str(self._random.randrange(4))})
        while self._drainer.step():
            pass


@contextmanager
def stores() -> Iterator[tuple[Store, Valkey]]:
    with ExitStack() as stack:
        server = stack.enter_context(running_server())
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="convex-bench-"))
        with psycopg.connect(server.owner_url("postgres"), autocommit=True) as owner:
            owner.execute("CREATE DATABASE bench")
        owner_url = server.owner_url("bench")
        migrate.upgrade(owner_url, SERVICE)
        workspace_id = ensure_workspace(owner_url, slug="bench", name="Bench", owner_user="owner")
        ensure_members(owner_url, workspace_id, ["editor"], "editor")
        valkey = Valkey(Path(folder))
        valkey.start()
        stack.callback(valkey.kill)
        yield Store(server.service_url("bench"), owner_url, workspace_id), valkey
