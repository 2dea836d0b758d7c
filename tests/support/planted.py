"""Alert histories whose patterns are known, since they were planted."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convex_analytics.domain.patterns.history import DAY, SPAN, Episode, Subject
from convex_common.domain.severity import Severity

UNTIL = dt.datetime(2026, 3, 2, 6, tzinfo=dt.UTC)
SINCE = UNTIL - dt.timedelta(seconds=SPAN)
FRAMEWORK = uuid.UUID(int=1)

Times = NDArray[np.float64]


def subject(number: int) -> Subject:
    return Subject(FRAMEWORK, uuid.UUID(int=1000 + number), f"rule {number}")


def episodes(
    of: Subject,
    onsets: Times,
    random: np.random.Generator,
    *,
    minutes: float = 40,
    by_itself: bool = False,
    acknowledged: float = 0.7,
    severities: Sequence[Severity] | None = None,
) -> list[Episode]:
    """Episodes that begin at these seconds after SINCE; those beyond the history are left out."""
    kept = np.sort(onsets[(onsets >= 0) & (onsets < SPAN)])
    return [
        Episode(
            subject=of,
            triggered_at=SINCE + dt.timedelta(seconds=float(at)),
            resolved_at=SINCE + dt.timedelta(seconds=float(at + 60 * minutes * random.uniform(0.5, 1.5))),
            severity=severities[place] if severities else Severity.WARNING,
            acknowledged=bool(random.random() < acknowledged),
            by_itself=by_itself,
        )
        for place, at in enumerate(kept)
    ]


def anytime(random: np.random.Generator, count: float) -> Times:
    """A Poisson process with `count` onsets on average."""
    return np.sort(random.uniform(0, SPAN, random.poisson(count)))


def with_rhythm(random: np.random.Generator, count: float, *, peak: float = 9 * 3600.0, width: float = 5400.0) -> Times:
    """Independent onsets that mostly come around the same hour of the day."""
    number = random.poisson(count)
    days = random.integers(0, 56, number) * DAY
    usual = (random.normal(peak, width, number) - 6 * 3600) % DAY
    return np.sort(days + np.where(random.random(number) < 0.8, usual, random.uniform(0, DAY, number)))


@dataclass(frozen=True)
class Planted:
    """A history and the truth about it: kind, and the numbers of the rules."""

    episodes: list[Episode]
    truth: set[tuple[str, tuple[int, ...]]]


def planted(seed: int, quiet: int = 40) -> Planted:
    """Every kind of pattern, twice to five times, each in noise, beside rules without any."""
    random = np.random.default_rng(seed)
    found: list[Episode] = []
    truth: set[tuple[str, tuple[int, ...]]] = set()
    number = 0

    def add(onsets: Times, **how: object) -> int:
        nonlocal number
        found.extend(episodes(subject(number), onsets, random, **how))  # type: ignore[arg-type]
        number += 1
        return number - 1

    for _ in range(quiet):
        add(anytime(random, random.uniform(10, 120)))
    for _ in range(3):  # most days at an hour of its own
        hour = random.uniform(0, 24) * 3600
        days = np.flatnonzero(random.random(56) < 0.8) * DAY
        onsets = days + (hour + random.normal(0, 900, len(days))) % DAY
        truth.add(("seasonal", (add(np.concatenate((onsets, anytime(random, 10)))),)))
    for _ in range(2):  # a weekday's evening
        at = random.integers(0, 7) * DAY + random.uniform(0, 24) * 3600
        onsets = (np.arange(8)[:, None] * 7 * DAY + at + random.normal(0, 1200, (8, 2))).ravel() + [0, 3600] * 8
        truth.add(("seasonal", (add(np.concatenate((onsets % SPAN, anytime(random, 3)))),)))
    for period in (random.uniform(2, 5) * 3600, random.uniform(8.5, 11) * 3600, random.uniform(26, 40) * 3600):
        onsets = np.arange(random.uniform(0, period), SPAN, period)
        onsets = onsets[random.random(len(onsets)) < 0.9] + random.normal(0, 0.03 * period)
        jittered = onsets + random.normal(0, 0.04 * period, len(onsets))
        truth.add(("cyclical", (add(np.concatenate((jittered, anytime(random, 0.15 * len(onsets))))),)))
    for _ in range(2):  # three to five times as many at the end
        onsets = SPAN * random.beta(2.6, 1, random.poisson(90))
        truth.add(("escalating", (add(onsets),)))
    worse = anytime(random, 60)
    steps = [Severity.INFO, Severity.WARNING, Severity.ERROR, Severity.CRITICAL]
    ranks = [steps[min(3, int(4 * at / SPAN + random.uniform(-0.4, 0.4)) if at else 0)] for at in worse]
    truth.add(("escalating", (add(worse, severities=ranks),)))
    for lag, spread in ((45, 15), (240, 60), (240, 90), (1200, 300), (1500, 500)):
        lead = anytime(random, 60)
        leader = add(lead)
        caused = lead[random.random(len(lead)) < 0.7]
        follower = add(np.concatenate((caused + np.abs(random.normal(lag, spread, len(caused))), anytime(random, 15))))
        truth.add(("triggered_by", (leader, follower)))
    for _ in range(3):  # one cause, no order
        cause = anytime(random, 50)
        ends = [add(np.concatenate((cause + random.uniform(0, 240, len(cause)), anytime(random, 15)))) for _ in "ab"]
        truth.add(("correlated", (ends[0], ends[1])))
    for _ in range(2):  # short, and over before anybody looks
        truth.add(("noisy", (add(anytime(random, 150), minutes=3, by_itself=True, acknowledged=0.02),)))
    return Planted(found, truth)
