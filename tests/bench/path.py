"""Trigger → 202 → WebSocket: how soon an accepted trigger is seen in a browser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tests.bench import conditions, report
from tests.bench.job import Follow, Job, Result
from tests.bench.load import Load
from tests.bench.product import Product, Usage, product
from tests.bench.report import Gate, percentile

IDLE, BUSY = 5.0, 200.0


@dataclass
class Runs:
    """All runs at one rate."""

    rate: float
    seconds: float
    loads: list[str] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    others: list[float] = field(default_factory=list)

    def over_runs(self, what: str, share: float) -> list[float]:
        """One percentile of each run's `answer_ms` or `seen_ms`."""
        return [percentile(getattr(result, what), share) for result in self.results]


def run(*, quick: bool) -> list[Gate]:
    """Print the table; what was demanded of it."""
    rounds = 1 if quick else 5
    idle, busy = Runs(IDLE, 10 if quick else 20), Runs(BUSY, 15 if quick else 60)
    with product() as found:
        stores = conditions.durability(found.stack.owner_url)
        for number in range(rounds):
            for runs in (idle, busy):
                report.say(f"path: run {number + 1} of {rounds}, {runs.rate:g}/s for {runs.seconds:g} s …")
                _measure(found, runs)
    _print((idle, busy), stores)
    return [
        report.at_most("trigger → WebSocket at 200/s, p50", busy.over_runs("seen_ms", 0.5), 12),
        report.at_most("trigger → WebSocket at 200/s, p95", busy.over_runs("seen_ms", 0.95), 25),
        report.at_most("trigger → WebSocket idle, p95", idle.over_runs("seen_ms", 0.95), 30),
        report.none("not accepted or not seen", [r.errors + r.unseen for r in (*idle.results, *busy.results)]),
    ]


def _measure(found: Product, runs: Runs) -> None:
    runs.loads.append(conditions.load())
    job: Job = replace(found.job, rate=runs.rate, seconds=runs.seconds, follow=Follow.WEBSOCKET)
    generator = Load(job)
    generator.begun.wait()
    usage = Usage(found.stack.state)
    generator.sent.wait()
    shares = usage.shares()
    result = generator.result()
    runs.results.append(result)
    runs.others.append(shares.others(result.cpu_share))


def _print(all_runs: Sequence[Runs], stores: str) -> None:
    rows = []
    for runs in all_runs:
        for what, title in (("answer_ms", "202"), ("seen_ms", "WebSocket")):
            rows.append(
                (
                    f"{runs.rate:g}/s, post → {title}",
                    *(report.spread(runs.over_runs(what, share)) for share in (0.5, 0.95, 0.99)),
                    sum(len(getattr(result, what)) for result in runs.results),
                    sum(result.errors if what == "answer_ms" else result.unseen for result in runs.results),
                    report.spread([100 * result.cpu_share for result in runs.results]),
                    report.spread(runs.others, 0),
                )
            )
    report.table(
        "Trigger → 202 → WebSocket, ms: median of runs (min–max)",
        ("", "p50", "p95", "p99", "measured", "missed", "generator % of a core", "others %"),
        rows,
        caption=f"{len(all_runs[0].results)} runs each, alternating, "
        f"{' and '.join(f'{r.seconds:g} s at {r.rate:g}/s' for r in all_runs)}; 1,000 open alerts, 90 % of the "
        f"triggers fold; times from when a request was due; others: CPU of neither product nor "
        f"generator; {stores}; before the runs: {all_runs[-1].loads[0]}",
    )
