"""Five thousand sockets: how fast they connect, what each of them costs, and how soon the last one hears."""

from __future__ import annotations

from collections.abc import Callable

from tests.bench import report
from tests.bench.live.fanout import cpu, last, play
from tests.bench.live.figures import Rounds
from tests.bench.live.ground import FRAME_BYTES, Ground
from tests.bench.live.machine import allow_files
from tests.bench.live.sides import BARE, OURS, STOCK
from tests.bench.live.trial import Plan, Trial
from tests.bench.report import Gate, median, percentile, spread

SOCKETS = 5_000
SPARE_FILES = 500


def run(ground: Ground, *, quick: bool) -> list[Gate]:
    """Print the table; what was demanded of it."""
    wanted = SOCKETS + SPARE_FILES
    if (allowed := allow_files(wanted)) < wanted:
        report.say(f"many: left out: {wanted:,} open files are needed and {allowed:,} allowed: raise `ulimit -Hn`")
        return [Gate(f"{SOCKETS:,} sockets", f"{wanted:,} open files", f"{allowed:,} allowed", None)]
    rounds: Rounds[Trial] = Rounds((OURS, STOCK) if quick else (OURS, STOCK, BARE))
    plan = Plan(SOCKETS, alerts=15, burst=15) if quick else Plan(SOCKETS, alerts=40, burst=40)
    play(rounds, ground, plan, 1 if quick else 3, "many")
    _print(rounds, plan)
    return [
        rounds.judged("5,000 sockets, last of them, p95", OURS, last(0.95), 110),
        report.at_least("5,000 sockets, messages/s", _judged(rounds, _rate), 60_000, "/s"),
        report.at_least("5,000 sockets, connects/s", _judged(rounds, lambda t: t.connects.rate), 1_000, "/s"),
        rounds.judged("5,000 sockets, slowest connect", OURS, _slowest, 100),
        report.at_most("memory a socket, ours", rounds.of(OURS, _kib), 3, "KiB"),
        report.at_least("memory a socket, stock over ours", rounds.ratios(STOCK, OURS, _kib), 10, "times"),
        report.none("messages missing, doubled or out of order, ours", [of[OURS].faults for of in rounds.found]),
    ]


def _judged(rounds: Rounds[Trial], figure: Callable[[Trial], float]) -> list[float]:
    return rounds.of(OURS, figure, rounds.quiet or None)


def _rate(trial: Trial) -> float:
    return trial.burst.rate()


def _connect(trial: Trial) -> float:
    return percentile(trial.connects.ms(), 0.95)


def _slowest(trial: Trial) -> float:
    return max(trial.connects.ms())


def _kib(trial: Trial) -> float:
    return trial.kib


def _print(rounds: Rounds[Trial], plan: Plan) -> None:
    def of(side: str, figure: Callable[[Trial], float], digits: int = 1) -> str:
        return spread(rounds.of(side, figure), digits)

    report.markdown(
        f"{plan.sockets:,} sockets, {FRAME_BYTES} bytes: medians of rounds (min–max)",
        (
            "",
            "last of all p50 ms",
            "p95",
            "messages/s at once",
            "CPU µs a message",
            "KiB a socket",
            "connects/s",
            "CPU ms a connect",
            "connect p50 ms",
            "p95",
            "slowest",
            "faults",
        ),
        [
            (
                side,
                of(side, last(0.5)),
                of(side, last(0.95)),
                of(side, _rate, 0),
                of(side, cpu),
                of(side, _kib, 2),
                of(side, lambda trial: trial.connects.rate, 0),
                of(side, lambda trial: trial.connect_cpu_ms, 2),
                of(side, lambda trial: median(trial.connects.ms())),
                of(side, _connect),
                of(side, _slowest),
                sum(found[side].faults for found in rounds.found),
            )
            for side in rounds.sides
        ],
        caption=f"{plan.alerts} messages one after the other, then {plan.burst} at once; memory: what the process grew "
        f"by, from a warm one to {plan.sockets:,} signed-in and subscribed sockets that were written to; "
        f"{plan.at_once} connections under way at a time. {rounds.how_quiet()}",
    )
