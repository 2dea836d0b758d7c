"""How many triggers a second are sustained: accepted, processed and seen while the backlog stays flat."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.bench import conditions, report
from tests.bench.backlog import Trend, trend
from tests.bench.job import Follow, Job, Result
from tests.bench.load import Load
from tests.bench.product import Backlog, Product, Shares, Usage, product, used
from tests.bench.report import Gate, percentile

BATCH = 100
ACHIEVED = 0.98
"""The share of the offered rate that must have been accepted for it to count."""


@dataclass(frozen=True)
class Step:
    """One load; `wanted` is demanded, aimed at, or (`None`) looked at."""

    rate: float
    batch: int
    seconds: float
    wanted: str | None

    @property
    def name(self) -> str:
        how = "single posts" if self.batch == 1 else f"batches of {self.batch}"
        return f"{how}, {f'{self.rate:,.0f}/s' if self.rate else 'closed loop'}"


@dataclass(frozen=True)
class Outcome:
    """What came of a step."""

    step: Step
    result: Result
    backlog: Trend
    cpu: Shares
    load: str

    @property
    def sustained(self) -> bool:
        """Accepted at the rate, without an error, seen, and the backlog flat."""
        result = self.result
        kept_up = result.rate >= ACHIEVED * self.step.rate
        return kept_up and self.backlog.flat and not result.errors and not result.unseen and result.close_code is None


def run(*, quick: bool) -> list[Gate]:
    """Print the tables; what was demanded of them."""
    seconds = 20.0 if quick else 60.0
    steps = (
        Step(1500, 1, seconds, "demanded"),
        Step(2000, 1, seconds, "aim"),
        Step(0, 1, 8.0 if quick else 15.0, None),
        Step(6000, BATCH, seconds, "demanded"),
        Step(8000, BATCH, seconds, "aim"),
        Step(0, BATCH, 8.0 if quick else 15.0, None),
    )
    with product() as found:
        stores = conditions.durability(found.stack.owner_url)
        outcomes = [_measure(found, step) for step in steps]
    _print(outcomes, stores)
    return [_gate(outcome) for outcome in outcomes if outcome.step.wanted]


def _measure(found: Product, step: Step) -> Outcome:
    report.say(f"sustained: {step.name} for {step.seconds:g} s …")
    before = conditions.load()
    job: Job = replace(
        found.job,
        rate=step.rate,
        seconds=step.seconds,
        batch=step.batch,
        connections=32 if step.batch == 1 else 8,
        follow=Follow.WEBSOCKET,
        drain_seconds=30.0,
    )
    generator = Load(job)
    generator.begun.wait()
    usage = Usage(found.stack.state)
    with Backlog(found.stack.owner_url) as backlog:
        generator.sent.wait()
        backlog.end()
        cpu = usage.shares()
        result = generator.result()
    return Outcome(step, result, trend(backlog.counts, step.rate or result.rate), cpu, before)


def _print(outcomes: list[Outcome], stores: str) -> None:
    report.table(
        "Sustained triggers per second",
        ("load", "accepted/s", "errors", "unseen", "202 p50", "p95 ms", "WebSocket p50", "p95 ms", "generator %"),
        [
            (
                f"{o.step.name}, {o.step.seconds:g} s",
                f"{o.result.rate:,.0f}",
                o.result.errors,
                o.result.unseen if o.result.close_code is None else f"closed {o.result.close_code}",
                *(percentile(o.result.answer_ms, share) for share in (0.5, 0.95)),
                *(percentile(o.result.seen_ms, share) for share in (0.5, 0.95)),
                100 * o.result.cpu_share,
            )
            for o in outcomes
        ],
        caption=f"1,000 open alerts, 90 % of the triggers fold, one subscriber of everything; {stores}; before: "
        + ", ".join(o.load.removeprefix("load average ") for o in outcomes)
        + " load average",
    )
    report.table(
        "… its backlog (rows of the inbox, counted each second) and CPU (percent of one core)",
        ("load", "p50", "most", "end", "slope/s", "first 10 s", "last 10 s", "flat", "CPU by process", "others"),
        [
            (
                o.step.name,
                *(f"{value:,.0f}" for value in (o.backlog.p50, o.backlog.most, o.backlog.end)),
                o.backlog.slope,
                *(f"{value:,.0f}" for value in (o.backlog.first, o.backlog.last)),
                "yes" if o.backlog.flat else "no",
                used(o.cpu.by_process),
                o.cpu.others(o.result.cpu_share),
            )
            for o in outcomes
        ],
        caption="flat: neither the slope over the whole time nor the last 10 s above the first 10 s (after 5 s of "
        "warm-up) amount to more than one second's worth of triggers; others: CPU of neither product nor generator",
    )


def _gate(outcome: Outcome) -> Gate:
    step, result = outcome.step, outcome.result
    flat = "flat" if outcome.backlog.flat else "growing"
    problems = f", {result.errors} errors, {result.unseen} unseen" if result.errors or result.unseen else ""
    return Gate(
        f"{step.name} for {step.seconds:g} s ({step.wanted})",
        f"≥ {step.rate:,.0f}/s, flat",
        f"{result.rate:,.0f}/s, backlog {flat}{problems}",
        outcome.sustained,
    )
