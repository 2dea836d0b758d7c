"""A thousand sockets and one message after the other: ours beside stock servers and beside the limit."""

from __future__ import annotations

from collections.abc import Callable

from tests.bench import report
from tests.bench.live.figures import Rounds
from tests.bench.live.ground import FRAME_BYTES, Ground
from tests.bench.live.sides import BARE, ENCODED, OURS, SIDES, STOCK
from tests.bench.live.trial import Plan, Trial, attempt
from tests.bench.report import Gate, median, percentile, spread

SOCKETS = 1_000


def run(ground: Ground, *, quick: bool) -> list[Gate]:
    """Print the tables; what was demanded of it."""
    rounds: Rounds[Trial] = Rounds(tuple(SIDES))
    plan = Plan(SOCKETS, alerts=40, burst=40) if quick else Plan(SOCKETS, alerts=120, burst=100)
    play(rounds, ground, plan, 1 if quick else 4, "fanout")
    _print(rounds, plan)
    return [
        rounds.judged("1,000 sockets, last of them, p95", OURS, last(0.95), 20),
        rounds.judged("1,000 sockets, single message, p95", OURS, single(0.95), 10),
        rounds.judged("1,000 sockets, single message, p99", OURS, single(0.99), 20),
        report.at_least("CPU per message, stock send_json over ours", rounds.ratios(STOCK, OURS, cpu), 4, "times"),
        report.at_most(
            "CPU per message, ours over stock encoded once", rounds.ratios(OURS, ENCODED, cpu), 1.15, "times"
        ),
        report.at_most("CPU per message, ours over bare uvloop", rounds.ratios(OURS, BARE, cpu), 1.3, "times"),
        report.none("messages missing, doubled or out of order, ours", [of[OURS].faults for of in rounds.found]),
    ]


def play(rounds: Rounds[Trial], ground: Ground, plan: Plan, number: int, topic: str) -> None:
    """So many rounds, each side in turn."""
    for round_ in range(number):
        found = {}
        for side in rounds.order(round_):
            report.say(f"{topic}: round {round_ + 1} of {number}, {plan.sockets:,} sockets, {side} …")
            try:
                found[side] = attempt(ground, side, plan)
            except ConnectionError as error:
                report.say(f"{topic}: once more: {error}")
                found[side] = attempt(ground, side, plan)
        rounds.add(found, {side: trial.others for side, trial in found.items()})


def last(share: float) -> Callable[[Trial], float]:
    """A percentile of how long the last socket waited."""
    return lambda trial: percentile(trial.one_by_one.last_ms(), share)


def single(share: float) -> Callable[[Trial], float]:
    """A percentile over all messages at all sockets."""
    return lambda trial: percentile(trial.one_by_one.single_ms(), share)


def cpu(trial: Trial) -> float:
    """Microseconds of the server's CPU for a message to a socket."""
    return trial.cpu_us


def _print(rounds: Rounds[Trial], plan: Plan) -> None:
    def of(side: str, figure: Callable[[Trial], float], digits: int = 1) -> str:
        return spread(rounds.of(side, figure), digits)

    report.markdown(
        f"{plan.sockets:,} sockets, {FRAME_BYTES} bytes: medians of rounds (min–max)",
        ("", "last of all p50 ms", "p95", "p99", "single p95", "p99", "CPU µs a message", "KiB a socket", "faults"),
        [
            (
                side,
                *(of(side, last(share)) for share in (0.5, 0.95, 0.99)),
                *(of(side, single(share)) for share in (0.95, 0.99)),
                of(side, cpu),
                of(side, lambda trial: trial.kib),
                sum(found[side].faults for found in rounds.found),
            )
            for side in rounds.sides
        ],
        caption=f"{plan.alerts} messages, each told when the one before has arrived; every side fed by the same Valkey "
        f"subscription, a fresh process each time, in turn; client: C, "
        f"{spread([trial.client_share for found in rounds.found for trial in found.values()], 0)} % of a core. "
        f"{rounds.how_quiet()}",
    )
    report.markdown(
        "The same round by round: last of all p95 ms / CPU µs a message",
        ("round", *rounds.sides, "others %"),
        [
            (
                f"{number + 1}, {'quiet' if rounds.is_quiet(number) else 'loaded'}",
                *(f"{last(0.95)(found[side]):.1f} / {found[side].cpu_us:.1f}" for side in rounds.sides),
                f"{max(rounds.others[number].values()):.0f}",
            )
            for number, found in enumerate(rounds.found)
        ],
    )
    report.markdown(
        f"{plan.sockets:,} sockets, {plan.burst} messages at once, and connecting",
        (
            "",
            "messages/s",
            "CPU µs a message",
            "connects/s",
            "CPU ms a connect",
            "connect p50 ms",
            "p95",
            "slowest",
            "idle % of a core",
        ),
        [
            (
                side,
                of(side, lambda trial: trial.burst.rate(), 0),
                of(side, lambda trial: trial.burst_cpu_us),
                of(side, lambda trial: trial.connects.rate, 0),
                of(side, lambda trial: trial.connect_cpu_ms, 2),
                of(side, lambda trial: median(trial.connects.ms())),
                of(side, lambda trial: percentile(trial.connects.ms(), 0.95)),
                of(side, lambda trial: max(trial.connects.ms())),
                of(side, lambda trial: trial.idle_share),
            )
            for side in rounds.sides
        ],
        caption=f"{plan.at_once} connections under way at a time, each with a token of another member, until it is "
        "subscribed; ours looks up the membership in PostgreSQL, the others only check the signature, the bare one not "
        "even that",
    )
