"""The runs that the model learns from: an installation of some size, a load, and what was used until all was done."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from convex_dev.stack import Stack
from tests.bench.job import Job, Result
from tests.bench.load import Load, run
from tests.bench.product import Product
from tests.bench.scale_meters import Meters, used
from tests.bench.scale_model import Sample
from tests.bench.sink import Sink
from tests.bench.sockets import Sockets
from tests.support.gateways import gateway_beside
from tests.support.ports import free_port
from tests.support.valkey import Valkey

FOLDING = 5000
"""Open alerts to fold into: so many that few of a batch are the same."""

TOLD = 500
"""… where each of them was a delivery when it was opened."""

PATIENCE = 120.0
TOLD_LATE = 1.2
"""Seconds until PostgreSQL's processes have told what they did."""

UNLIMITED = {
    "WS_MAX_PER_USER": "0",
    "WS_TIMEOUT": "3600000",  # the sockets' process answers no ping: it looks at nothing that it reads
    "RATE_LIMIT_INGEST_PER_WORKSPACE": "0",
}


@dataclass(frozen=True)
class Case:
    """One load. `rate` 0 is as fast as answers come; a batch of 0 is an idle installation."""

    name: str
    rate: float = 0.0
    batch: int = 100
    new_percent: float = 0.0
    deliveries: int = 0
    observations: bool = False
    sockets: int = 0
    """At each gateway."""
    learnt: bool = True
    """Whether the model is fitted to it; else it is held out, or no load that a model is for."""


@dataclass(frozen=True)
class Outcome:
    """What came of a case."""

    case: Case
    processors: int
    gateways: int
    sample: Sample
    seconds: float
    """Until everything was done."""
    errors: int
    offered: float
    """Accepted a second, while it was sent."""
    connections: dict[str, int]

    @property
    def accepted(self) -> float:
        return self.sample.work["alerts"] + self.sample.work["observations"]

    @property
    def finished(self) -> float:
        """A second."""
        return self.accepted / self.seconds


@dataclass(frozen=True)
class Drain:
    """A full inbox, worked off while nothing comes in."""

    processors: int
    events: int
    seconds: float
    cores: float
    """Of the processors, together."""

    @property
    def rate(self) -> float:
        return self.events / self.seconds


@dataclass
class Installation:
    """The product with so many processors and gateways, broker and cache apart, and a webhook's receiver."""

    stack: Stack
    quiet: Product
    """Has no channels."""
    told: Product
    processors: int
    urls: tuple[str, ...]
    meters: Meters
    port: int
    primed: dict[int, Job] = field(default_factory=dict)
    """By deliveries, a job whose alerts to fold into are open."""

    def measure(self, case: Case, seconds: float) -> Outcome:
        """One run, until everything is done."""
        job = self._job(case, seconds)
        with ExitStack() as open_sockets:
            for url in self.urls if case.sockets else ():
                token = (self.told if case.deliveries else self.quiet).token
                open_sockets.enter_context(Sockets(url, token, case.sockets))
            return self._measured(case, job, seconds)

    def _measured(self, case: Case, job: Job | None, seconds: float) -> Outcome:
        time.sleep(TOLD_LATE)
        before, opened, delivered = self.meters.read(), self.meters.count("alerts"), self.meters.count("deliveries")
        began = time.perf_counter()
        results = self._loaded(job) if job else []
        if not job:
            time.sleep(seconds)
        connections = self.meters.connections()
        self.settle()
        done = time.perf_counter() - began
        time.sleep(TOLD_LATE)
        spent, took = used(before, self.meters.read()), time.perf_counter() - began
        accepted = float(sum(result.accepted for result in results))
        alerts = 0.0 if case.observations else accepted
        new = float(self.meters.count("alerts") - opened)
        work = {
            "seconds": took,
            "gateway seconds": took * len(self.urls),
            "processor seconds": took * self.processors,
            "requests": accepted / case.batch if case.batch else 0.0,
            "alerts": alerts,
            "folds": alerts - new,
            "opened": new,
            "observations": accepted if case.observations else 0.0,
            "deliveries": float(self.meters.count("deliveries") - delivered),
            "copies": spent["frames"] * len(self.urls) if case.sockets else 0.0,
            "writes": spent["frames"] * len(self.urls) * case.sockets,
        }
        return Outcome(
            case,
            self.processors,
            len(self.urls),
            Sample(case.name, work, spent),
            done,
            sum(result.errors for result in results),
            sum(result.rate for result in results),
            connections,
        )

    def _loaded(self, job: Job) -> list[Result]:
        """A generator for each gateway, which share the load."""
        share = replace(job, rate=job.rate / len(self.urls))
        loads = [Load(replace(share, url=url, run=f"{job.run}{n}")) for n, url in enumerate(self.urls)]
        return [load.result() for load in loads]

    def drain(self, events: int) -> Drain:
        """Fill the inbox while the processors stand still, and let them go on."""
        self.settle()
        pids = self.meters.pids("processor")
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            run(
                replace(
                    self._primed(0), total=events, seconds=60, batch=100, connections=4, new_percent=10, run=Job("").run
                )
            )
        finally:
            time.sleep(TOLD_LATE)
            before, began = self.meters.read()["processor"], time.perf_counter()
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        self.settle(every=0.02)
        seconds = time.perf_counter() - began
        return Drain(len(pids), events, seconds, (self.meters.read()["processor"] - before) / seconds)

    def socket_bytes(self, count: int) -> float:
        """What a subscribed socket that nothing happens on takes of a gateway's memory."""
        with Sockets(self.urls[0], self.quiet.token, 200):  # what the first ones make is not theirs
            before = self.meters.memory("gateway")[0]
            with Sockets(self.urls[0], self.quiet.token, count):
                time.sleep(1.0)
                return (self.meters.memory("gateway")[0] - before) / count

    def settle(self, every: float = 0.1) -> None:
        """Return when everything that was accepted is done."""
        deadline = time.monotonic() + PATIENCE
        while waiting := self.meters.waiting():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{waiting} events and deliveries were not done after {PATIENCE:.0f} s")
            time.sleep(every)

    def _job(self, case: Case, seconds: float) -> Job | None:
        if not case.batch:
            return None
        job = self.quiet.observing_job() if case.observations else self._primed(case.deliveries)
        return replace(
            job,
            rate=case.rate,
            seconds=seconds,
            batch=case.batch,
            new_percent=case.new_percent,
            connections=16 if case.batch == 1 else 4,
            run=Job("").run,
            primed_by=job.primed_by or "series",
        )

    def _primed(self, deliveries: int) -> Job:
        """Its alerts are open, and whoever is told of them was."""
        if deliveries not in self.primed:
            job = self.told.webhook_job(self.port, deliveries) if deliveries else self.quiet.job
            job = replace(job, new_percent=0.0, fingerprints=TOLD if deliveries else FOLDING)
            run(replace(job, total=1, seconds=1))
            self.settle()
            self.primed[deliveries] = replace(job, primed_by=job.run)
        return self.primed[deliveries]


@contextmanager
def installation(processors: int, gateways: int) -> Iterator[Installation]:
    """One of this size, warm."""
    with ExitStack() as open_until_the_end:
        folder = open_until_the_end.enter_context(tempfile.TemporaryDirectory(prefix="convex-scale-"))
        cache = Valkey(Path(folder))
        cache.start()
        open_until_the_end.callback(cache.kill)
        stack = open_until_the_end.enter_context(
            Stack(processors=processors, env={**UNLIMITED, "CACHE_REDIS_URL": cache.url})
        )
        beside = [open_until_the_end.enter_context(gateway_beside(stack)) for _ in range(gateways - 1)]
        pids = {process.name: process.pid for process in stack.state.processes if process.pid is not None}
        stages = {
            "gateway": [pids["gateway"], *(gateway.pid for gateway in beside)],
            "processor": [pid for name, pid in pids.items() if name.startswith("processor")],
            "notifier": [pids["notifier"]],
            "postgres": [pids["postgres"]],
            "broker": [pids["valkey"]],
            "cache": [cache.pid],
        }
        meters = Meters(stages, stack.owner_url, stack.redis_url, cache.url)
        open_until_the_end.callback(meters.close)
        port = free_port()
        sink = open_until_the_end.enter_context(Sink(port))
        sink.listen()
        quiet = Product(stack, "quiet")
        quiet.warm_up()
        urls = (stack.url, *(gateway.url for gateway in beside))
        yield Installation(stack, quiet, Product(stack, "told"), processors, urls, meters, port)
