"""`make bench-patterns`: what pattern detection finds of what was planted, and what it finds where nothing is."""

from __future__ import annotations

import argparse
import datetime as dt
import time
from collections import Counter
from collections.abc import Callable

import numpy as np

from convex_analytics.domain.patterns.find import find
from convex_analytics.domain.patterns.history import history
from convex_analytics.domain.patterns.pairs import pairs
from convex_analytics.domain.patterns.pattern import Kind, Pattern
from tests.bench import conditions
from tests.support.planted import UNTIL, Times, anytime, episodes, planted, subject, with_rhythm

Series = Callable[[np.random.Generator], Times]
INDEPENDENT: dict[str, Series] = {
    "random": lambda random: anytime(random, random.uniform(20, 200)),
    "with a daily rhythm in common": lambda random: with_rhythm(random, random.uniform(20, 200)),
}


def named(found: Pattern) -> tuple[str, tuple[int, ...]]:
    """A pattern as planted truth spells it."""
    numbers = [int(one.name.split()[1]) for one in (found.lead, found.subject) if one is not None]
    return found.kind.value, tuple(sorted(numbers) if found.kind is Kind.CORRELATED else numbers)


def false_pairs(seed: int, series: Series, count: int = 100) -> int:
    """How many pairs are found among independent series, where every pair is a false one."""
    random = np.random.default_rng(seed)
    alerts = [one for i in range(count) for one in episodes(subject(i), series(random), random)]
    return len(pairs(history(alerts, UNTIL, dt.UTC).strands))


def main() -> None:
    """Print precision and recall by kind, and how often independent series make a pair."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.patterns", description=__doc__)
    parser.add_argument("--planted", type=int, default=20, help="histories with planted patterns")
    parser.add_argument("--independent", type=int, default=200, help="sets of 100 independent series, of each sort")
    given = parser.parse_args()
    conditions.machine()
    right: Counter[str] = Counter()
    false: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    began = time.perf_counter()
    for seed in range(given.planted):
        case = planted(seed)
        got = {named(one) for one in find(history(case.episodes, UNTIL, dt.UTC))}
        right.update(kind for kind, _ in got & case.truth)
        false.update(kind for kind, _ in got - case.truth)
        missed.update(kind for kind, _ in case.truth - got)
    print(f"{given.planted} histories, {(time.perf_counter() - began) / max(1, given.planted):.2f} s each")
    print("kind           found  false  missed  precision  recall")
    for kind in [*sorted(right | false | missed), "all"]:
        r, f, m = (sum(one.values()) if kind == "all" else one[kind] for one in (right, false, missed))
        print(f"{kind:13} {r:6} {f:6} {m:7} {r / max(1, r + f):10.3f} {r / max(1, r + m):7.3f}")
    for sort, series in INDEPENDENT.items():
        wrong = 0
        for seed in range(given.independent):
            wrong += false_pairs(seed, series) > 0
            if (seed + 1) % 50 == 0:
                print(f"  {seed + 1} of {given.independent}", flush=True)
        print(f"100 independent series, {sort}: a false pair in {wrong} of {given.independent} seeds")


if __name__ == "__main__":
    main()
