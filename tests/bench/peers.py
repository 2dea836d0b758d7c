"""Beside Debian's Alertmanager with grouping off, in the same run: speed, and what a kill -9 leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from tests.bench import conditions, load, report
from tests.bench.alertmanager import Alertmanager
from tests.bench.job import Follow, Job, Result
from tests.bench.product import Product, product
from tests.bench.report import Gate, percentile
from tests.bench.sink import Sink
from tests.support.debian import Unavailable
from tests.support.ports import free_port

OURS, THEIRS = "Convex Alerts", "Alertmanager"
KILLED = ("gateway", "processor", "notifier", "valkey")
POSTED = 2000
WITHIN, PATIENCE = 60.0, 40.0
"""Seconds that a killed side has to deliver the rest, and that may pass without another webhook: more than the 30 s for
which our notifier leases a delivery, since what was under way when it was killed is tried again after that."""


@dataclass(frozen=True)
class Step:
    """One load, the same for both sides; every alert is new and is a webhook of its own."""

    name: str
    rate: float = 0.0
    seconds: float = 10.0
    total: int = 0
    batch: int = 1
    connections: int = 16

    def of(self, job: Job) -> Job:
        """The side's job at this load."""
        return replace(
            job,
            rate=self.rate,
            seconds=self.seconds,
            total=self.total,
            batch=self.batch,
            connections=self.connections,
            follow=Follow.WEBHOOK,
            drain_seconds=300.0,
            patience_seconds=15.0,
        )


Found: TypeAlias = "dict[tuple[str, str], list[Result]]"


def run(*, quick: bool) -> list[Gate]:
    """Print the tables; that nothing accepted was lost is demanded."""
    try:
        version = Alertmanager.version()
    except Unavailable as reason:
        report.say(f"peers: left out: {reason}")
        return [Gate("beside Alertmanager", "its binary", str(reason), None)]
    rounds = 1 if quick else 3
    alerts = 3000 if quick else 8000
    steps = (
        Step("200/s", rate=200, seconds=8 if quick else 20),
        Step("single posts, closed loop", total=alerts),
        Step("batches of 100, closed loop", total=alerts, batch=100, connections=4),
    )
    with product() as found:
        caption = f"{version}; {conditions.durability(found.stack.owner_url)}; before: {conditions.load()}"
        _speed(found, steps, rounds, caption)
        return _durability(found, rounds, caption)


def _speed(found: Product, steps: Sequence[Step], rounds: int, caption: str) -> None:
    results: Found = {(step.name, side): [] for step in steps for side in (OURS, THEIRS)}
    memory: list[float] = []
    for number in range(rounds):
        for side in _order(number):
            report.say(f"peers: round {number + 1} of {rounds}, {side} …")
            if side == OURS:
                for step in steps:
                    results[step.name, side].append(load.run(step.of(found.webhook_job(free_port()))))
            else:
                with Alertmanager(free_port()) as theirs:
                    for step in steps:
                        results[step.name, side].append(load.run(step.of(theirs.job)))
                    memory.append(theirs.memory_mib)
    report.table(
        "Beside Alertmanager, every alert new, grouping off: medians of rounds (min–max)",
        (
            "load",
            "side",
            "answer p95 ms",
            "webhook p50 ms",
            "p95 ms",
            "accepted/s",
            "webhooks/s",
            "missed",
            "generator %",
        ),
        [
            (name, side, *_row(of, closed=not step.rate))
            for step in steps
            for (name, side), of in results.items()
            if name == step.name
        ],
        caption=f"{rounds} rounds, sides alternate; closed loops of {steps[1].total:,} alerts over "
        f"{steps[1].connections} and {steps[2].connections} connections; theirs keeps alerts in memory "
        f"({report.spread(memory, 0)} MiB after a round), ours answers after the commit; {caption}",
    )


def _row(of: Sequence[Result], *, closed: bool) -> tuple[str, ...]:
    def over(what: str, share: float) -> str:
        return report.spread([percentile(getattr(result, what), share) for result in of])

    return (
        over("answer_ms", 0.95),
        "" if closed else over("seen_ms", 0.5),
        "" if closed else over("seen_ms", 0.95),
        report.spread([result.rate for result in of], 0),
        report.spread([result.seen_rate for result in of], 0),
        str(sum(result.errors + result.unseen for result in of)),
        report.spread([100 * result.cpu_share for result in of], 0),
    )


@dataclass(frozen=True)
class Survival:
    """What a kill -9 right after the last 2xx left."""

    accepted: int
    reached: int
    bodies: int

    @property
    def lost(self) -> int:
        return max(0, self.accepted - self.reached)


def _durability(found: Product, rounds: int, caption: str) -> list[Gate]:
    cases = {"receiver there": True, "receiver away until the kill": False}
    survived: dict[tuple[str, str], list[Survival]] = {(case, side): [] for case in cases for side in (OURS, THEIRS)}
    for number in range(rounds):
        for case, there in cases.items():
            for side in _order(number):
                report.say(f"peers: round {number + 1} of {rounds}, kill -9 of {side}, {case} …")
                port = free_port()
                outcome = _kill_ours(found, port, there) if side == OURS else _kill_theirs(port, there)
                survived[case, side].append(outcome)
    report.table(
        f"{POSTED:,} new alerts posted, kill -9 in the moment of the last 2xx, restarted: what reached the receiver",
        ("case", "side", "accepted", "reached it", "lost", "repeated webhooks"),
        [
            (
                case,
                side,
                sum(s.accepted for s in of),
                sum(s.reached for s in of),
                sum(s.lost for s in of),
                sum(s.bodies - s.reached for s in of),
            )
            for (case, side), of in survived.items()
        ],
        caption=f"sums of {rounds} rounds; ours: {', '.join(KILLED)} at once, restarted by the supervisor; theirs: the "
        f"process, started again on its data; waited at most {WITHIN:g} s, {PATIENCE:g} s without progress; Prometheus "
        f"would send Alertmanager again what still fires, most other senders would not; {caption}",
    )
    return [
        report.none(f"accepted and lost by a kill -9, ours, {case}", [s.lost for s in survived[case, OURS]])
        for case in cases
    ]


def _kill_ours(found: Product, port: int, there: bool) -> Survival:
    pids = tuple(found.stack.pid(name) for name in KILLED)
    outcome = _killed(found.webhook_job(port), pids, there, lambda: None)
    found.stack.wait_healthy()
    return outcome


def _kill_theirs(port: int, there: bool) -> Survival:
    with Alertmanager(port) as theirs:
        return _killed(theirs.job, (theirs.pid,), there, theirs.start)


def _killed(job: Job, pids: tuple[int, ...], there: bool, restart: Callable[[], None]) -> Survival:
    with Sink(job.webhook_port) as sink:
        if there:
            sink.listen()
        accepted = load.run(replace(job, seconds=30, total=POSTED, kill=pids)).accepted
        if not there:
            sink.listen()
        restart()
        reached = sink.wait(accepted, within=WITHIN, patience=PATIENCE)
        return Survival(accepted, reached, sink.bodies)


def _order(number: int) -> tuple[str, str]:
    return (OURS, THEIRS) if number % 2 == 0 else (THEIRS, OURS)
