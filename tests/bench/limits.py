"""A quiet workspace beside a noisy one: how much of its latency is another's doing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tests.bench import conditions, report
from tests.bench.job import Follow, Job, Result
from tests.bench.load import Load
from tests.bench.product import Product, product
from tests.bench.report import Gate, percentile

QUIET, NOISY, LIMIT = 10.0, 100.0, 150
"""Triggers per second: of the quiet workspace, of one below the limit, and the limit."""

FLOODING: int = 64
"""Connections that send as fast as they are answered."""

MOST = 1.25
SETTLED = 2.0


@dataclass
class Pairs:
    """The quiet workspace's rounds with a neighbour, each beside a round without one right before it."""

    title: str
    alone: list[Result] = field(default_factory=list)
    beside: list[Result] = field(default_factory=list)
    noise: list[Result] = field(default_factory=list)

    def ratios(self, what: str) -> list[float]:
        """How many times the p95 of `answer_ms` or `seen_ms`, pair by pair."""
        pairs = zip(self.alone, self.beside, strict=True)
        return [percentile(getattr(b, what), 0.95) / percentile(getattr(a, what), 0.95) for a, b in pairs]

    def over_rounds(self, results: Sequence[Result], what: str, share: float) -> list[float]:
        """One percentile of each round."""
        return [percentile(getattr(result, what), share) for result in results]


def run(*, quick: bool) -> list[Gate]:
    """Print the table; what was demanded of it."""
    rounds, seconds = (3, 6.0) if quick else (9, 10.0)
    env = {"RATE_LIMIT_INGEST_PER_WORKSPACE": str(LIMIT), "RATE_LIMIT_BURST_SECONDS": "1"}
    flood = Pairs(f"floods: {FLOODING} connections, as fast as they are answered")
    more = Pairs(f"sends {NOISY:g}/s, ten times as much, below its limit")
    with product(env) as quiet:
        noisy = Product(quiet.stack, "noisy")
        stores = conditions.durability(quiet.stack.owner_url)
        for number in range(rounds):
            for pairs, rate, connections in ((flood, 0.0, FLOODING), (more, NOISY, 16)):
                report.say(f"limits: round {number + 1} of {rounds}, a neighbour that {pairs.title} …")
                pairs.alone.append(_quiet(quiet, seconds))
                noise = Load(_noise(noisy, rate, connections, seconds))
                noise.begun.wait()
                time.sleep(SETTLED)
                pairs.beside.append(_quiet(quiet, seconds))
                pairs.noise.append(noise.result())
    _print((flood, more), seconds, stores)
    return [
        *(
            report.at_most(f"p95 of {where}, beside a neighbour that {pairs.title}", pairs.ratios(what), MOST, "times")
            for pairs in (flood, more)
            for what, where in (("answer_ms", "202"), ("seen_ms", "WebSocket"))
        ),
        report.none("not accepted or not seen of the quiet workspace", _missed(flood) + _missed(more)),
    ]


def _quiet(found: Product, seconds: float) -> Result:
    time.sleep(SETTLED)  # what was sent before counts against the limit no more
    job: Job = replace(found.job, rate=QUIET, seconds=seconds, fingerprints=100, follow=Follow.WEBSOCKET)
    return Load(job).result()


def _noise(found: Product, rate: float, connections: int, seconds: float) -> Job:
    """From before the quiet one's round until after it."""
    lasting = seconds + 2 * SETTLED + 2
    return replace(found.job, rate=rate, seconds=lasting, fingerprints=100, connections=connections, quiet=True)


def _missed(pairs: Pairs) -> list[int]:
    return [result.errors + result.unseen for result in (*pairs.alone, *pairs.beside)]


def _print(all_pairs: Sequence[Pairs], seconds: float, stores: str) -> None:
    rows = []
    for pairs in all_pairs:
        for what, where in (("answer_ms", "202"), ("seen_ms", "WebSocket")):
            rows.append(
                (
                    pairs.title,
                    where,
                    report.spread(pairs.over_rounds(pairs.alone, what, 0.95)),
                    report.spread(pairs.over_rounds(pairs.beside, what, 0.95)),
                    report.spread(pairs.ratios(what), 2),
                    report.spread([noise.rate for noise in pairs.noise], 0),
                    report.spread([noise.errors / noise.seconds for noise in pairs.noise], 0),
                )
            )
    report.table(
        f"A workspace with {QUIET:g} triggers a second, p95 in ms: median of rounds (min–max)",
        ("its neighbour", "post →", "alone", "beside it", "times", "neighbour's accepted/s", "refused/s"),
        rows,
        caption=f"{len(all_pairs[0].alone)} pairs of rounds of {seconds:g} s, alone and beside in turn; the limit is "
        f"{LIMIT} events a second and workspace; a tenth of all triggers opens an alert; "
        f"generators on the same cores; {stores}; {conditions.load()}",
    )
