"""Predictions over a simulated month: Brier scores beside those of plain rates, and the calibration plot.

Frameworks of several habits are simulated for eight weeks and a month more; at a moment of each day of the month, all
is foretold from what came before, and scored against what then came.

    python -m tests.bench.predictions [--frameworks 6] [--seed 1 2 3] [--plot docs/images/calibration.png]
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from convex_analytics.domain.foresight.foresight import Kind, foretell
from convex_analytics.domain.foresight.history import DAYS, WEEK, Counts, History
from convex_analytics.domain.foresight.odds import HORIZONS

MONTH: Final = 30
PAST: Final = DAYS * 24
FUTURE: Final = (MONTH + 7) * 24
MONDAY: Final = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
Random = np.random.Generator


def steady(random: Random, hours: int) -> Counts:
    """An alert every half day, at any time."""
    return random.poisson(1 / 12, hours)


def rare(random: Random, hours: int) -> Counts:
    """An alert a fortnight."""
    return random.poisson(1 / 336, hours)


def office(random: Random, hours: int) -> Counts:
    """On weekdays between 8 and 18, and hardly else."""
    at = np.arange(hours) % WEEK
    return random.poisson(np.where((at < 120) & (at % 24 >= 8) & (at % 24 < 18), 0.35, 0.01))


def nightly(random: Random, hours: int) -> Counts:
    """A job at two in the night that fails on two of three nights, with several alerts at once."""
    at = np.arange(hours) % 24
    return np.where(
        (at == 2) & (random.random(hours) < 0.67), 1 + random.poisson(2, hours), random.poisson(0.005, hours)
    )


def bursts(random: Random, hours: int) -> Counts:
    """Alerts that excite others for hours."""
    counts, excited = np.zeros(hours, dtype=np.int64), 0.0
    for hour in range(hours):
        counts[hour] = min(50, random.poisson(0.01 + excited))
        excited = 0.75 * excited + 0.22 * counts[hour]
    return counts


def outages(random: Random, hours: int) -> Counts:
    """Quiet, with outages of half a day now and then."""
    counts, left = np.zeros(hours, dtype=np.int64), 0
    for hour in range(hours):
        left = left - 1 if left > 0 else int(random.integers(6, 20)) if random.random() < 1 / 150 else 0
        counts[hour] = random.poisson(3.0 if left > 0 else 0.01)
    return counts


def changing(random: Random, hours: int) -> Counts:
    """Noisy, until somebody mends it halfway; then noisy again."""
    rate = np.full(hours, 0.4)
    rate[int(0.4 * hours) : int(0.75 * hours)] = 0.01
    return random.poisson(rate)


HABITS: Final[Mapping[str, Callable[[Random, int], Counts]]] = {
    habit.__name__: habit for habit in (steady, rare, office, nightly, bursts, outages, changing)
}


@dataclass(frozen=True, slots=True)
class Scored:
    """A prediction beside plain rates, and what came: 0 or 1."""

    habit: str
    kind: Kind
    horizon: int
    foretold: float
    base: float
    of_hour: float
    came: float


def month(habit: str, seed: int) -> Iterator[Scored]:
    """All predictions of one framework."""
    random = np.random.default_rng(seed)
    alerts = HABITS[habit](random, PAST + FUTURE)
    critical = random.binomial(alerts, 0.15)
    for day in range(MONTH):
        now = PAST + day * 24 + int(random.integers(0, 24))
        past = slice(now - PAST, now)
        report = foretell(History(MONDAY + dt.timedelta(hours=now), alerts[past], critical[past]))
        for one in report.predictions:
            events = {
                Kind.NEXT_ALERT: alerts > 0,
                Kind.ANOMALY: alerts > (one.threshold or 0),
                Kind.ESCALATION: critical > 0,
            }[one.kind]
            horizon = int(one.horizon.total_seconds()) // 3600
            begins = np.arange(now - PAST, now - horizon + 1)
            total = np.concatenate([[0], np.cumsum(events)])
            came = total[begins + horizon] > total[begins]
            same = came[(begins - now) % 24 == 0]
            yield Scored(
                habit,
                one.kind,
                horizon,
                one.probability,
                _rate(came),
                _rate(same),
                float(events[now : now + horizon].any()),
            )


def _rate(came: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    """Of windows, with one half of each added, so that neither rate is ever sure of itself."""
    return float((came.sum() + 0.5) / (len(came) + 1))


def simulate(frameworks: int, seed: int) -> list[Scored]:
    """So many frameworks of each habit."""
    return [scored for habit in HABITS for number in range(frameworks) for scored in month(habit, 1000 * seed + number)]


def simulate_all(frameworks: int, seeds: Sequence[int]) -> list[Scored]:
    """By each of the seeds."""
    return [scored for seed in seeds for scored in simulate(frameworks, seed)]


def brier(scored: list[Scored]) -> tuple[float, float, float]:
    """Of the predictions, of the base rate, and of the rate of the hour of the day."""
    foretold, base, of_hour, came = np.array([(s.foretold, s.base, s.of_hour, s.came) for s in scored]).T
    return tuple(float(np.mean((said - came) ** 2)) for said in (foretold, base, of_hour))  # type: ignore[return-value]


def table(scored: list[Scored]) -> str:
    """Brier scores by kind and horizon, by kind, by habit, and of all; better by how much than the base rate."""
    groups = [
        *((f"{k.value} {h} h", [s for s in scored if (s.kind, s.horizon) == (k, h)]) for k in Kind for h in HORIZONS),
        *((k.value, [s for s in scored if s.kind is k]) for k in Kind),
        *((habit, [s for s in scored if s.habit == habit]) for habit in HABITS),
        ("all", scored),
    ]  # fmt: skip
    lines = [f"{'Brier score of':<18}{'predictions':>12}{'base rate':>12}{'hour of day':>13}{'better by':>11}"]
    for name, of_group in groups:
        ours, base, of_hour = brier(of_group)
        better = f"{(base - ours) / base:+.1%}" if base else ""
        lines.append(f"{name:<18}{ours:>12.4f}{base:>12.4f}{of_hour:>13.4f}{better:>11}")
    return "\n".join(lines)


def bins(scored: list[Scored]) -> list[tuple[float, float, int]]:
    """By tenths of the probability: the mean of what was said, the share that came, and how many."""
    said = np.array([s.foretold for s in scored])
    came = np.array([s.came for s in scored])
    place = np.minimum((said * 10).astype(int), 9)
    return [
        (float(said[place == n].mean()), float(came[place == n].mean()), int((place == n).sum()))
        for n in range(10)
        if (place == n).any()
    ]


def plot(scored: list[Scored], path: Path) -> None:
    """The calibration: said against came."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(5, 5), dpi=100)
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, linestyle="--", label="perfect")
    for kind in Kind:
        found = [one for one in bins([s for s in scored if s.kind is kind]) if one[2] >= 20]
        axes.plot([f[0] for f in found], [f[1] for f in found], marker="o", label=kind.value.replace("_", " "))
    axes.set(xlabel="probability that was foretold", ylabel="share that came", xlim=(0, 1), ylim=(0, 1))
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    """Print the scores, and draw where asked to."""
    parser = argparse.ArgumentParser(prog="bench-predictions", description=__doc__.partition("\n")[0])
    parser.add_argument("--frameworks", type=int, default=6, help="of each habit")
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="one or several")
    parser.add_argument("--plot", type=Path, help="where to draw the calibration")
    arguments = parser.parse_args()
    scored = simulate_all(arguments.frameworks, arguments.seed)
    print(table(scored))
    print("\nforetold   came      of")
    for said, came, count in bins(scored):
        print(f"{said:>8.2f}{came:>7.2f}{count:>8}")
    if arguments.plot:
        plot(scored, arguments.plot)


if __name__ == "__main__":
    main()
