"""Rules that fire together, and rules that fire after another. Pure.

What is counted: onsets of the one with an onset of the other close by. What chance gives is not computed from rates,
since rules share rhythms: it is counted in the same history with one of the two shifted by whole days, by whole weeks,
and by a few hours. So neither a busy hour, nor a weekday, nor a bad week makes a pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from convex_analytics.domain.patterns.history import DAY, DAYS, SPAN, Strand, Times
from convex_analytics.domain.patterns.significance import benjamini_yekutieli, predictive_tail

WINDOWS: Final = (120.0, 600.0, 3600.0)
FEWEST: Final = 8
FEWEST_TOGETHER: Final = 6
LEAST_LIFT: Final = 3.0
LEAST_SHARE: Final = 0.3
LEVEL: Final = 0.05
ONE_WAY: Final = 0.8
LOOKS: Final = 2 * len(WINDOWS) + len(WINDOWS)
"""Tests of one pair: each window after the one, after the other, and around."""
GLANCES: Final = np.array([3, 7, 12, 17, 21, 26, 31, 35, 40, 46, 49, 53]) * DAY
"""A few shifts that most pairs do not survive, so that all shifts are counted for few."""
MOST_CANDIDATES: Final = 3_000

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two strands by their places. `directed`: the second follows the first. `lags` in seconds, in order."""

    first: int
    second: int
    directed: bool
    window: float
    together: int
    of_first: int
    of_second: int
    expected: float
    lags: Times
    p: float
    corrected: float = 1.0

    @property
    def lift(self) -> float:
        """How many times as often as by chance."""
        return self.together / max(self.expected, 1 / DAYS)


@dataclass(frozen=True, slots=True)
class _Reach:
    """Onsets from `back` seconds before to `ahead` seconds after one count as close; at the same time only if ahead."""

    back: float
    ahead: float


def pairs(strands: Sequence[Strand]) -> list[Pair]:
    """The pairs that hold after correction for all that were looked at; what others explain is left out."""
    eligible = [i for i, strand in enumerate(strands) if len(strand.onsets) >= FEWEST]
    best: dict[tuple[int, int], Pair] = {}
    for window in WINDOWS:
        thinned = {i: strands[i].sessions(window) for i in eligible}
        for reach in (_Reach(window, 0.0), _Reach(window, window)):
            for first, second, together in _candidates(thinned, reach):
                found = _tested(thinned[first], thinned[second], reach, together)
                if found is None:
                    continue
                p, expected = found
                pair = _described(first, second, thinned[first], thinned[second], window, together, expected, p)
                key = (min(first, second), max(first, second))
                if key not in best or pair.p < best[key].p:
                    best[key] = pair
    known = list(best.values())
    tests = len(eligible) * (len(eligible) - 1) // 2
    corrected = benjamini_yekutieli([min(1.0, one.p * LOOKS) for one in known], tests)
    return _forest([replace(one, corrected=q) for one, q in zip(known, corrected, strict=True) if q <= LEVEL])


def _candidates(thinned: dict[int, Times], reach: _Reach) -> list[tuple[int, int, int]]:
    """First, second, how often together: those that are worth all shifts, the most striking ones."""
    places = [i for i in thinned if len(thinned[i]) >= FEWEST_TOGETHER]
    if len(places) < 2:
        return []
    seconds = np.concatenate([thinned[i] for i in places])
    sizes = np.array([len(thinned[i]) for i in places])
    firsts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    found: list[tuple[float, int, int, int]] = []
    for place, first in enumerate(places):
        leads = _wrapped(thinned[first])
        together = np.add.reduceat(_close(leads, seconds, reach), firsts)
        smaller = np.minimum(sizes, sizes[place])
        by_rates = sizes[place] * sizes * (reach.back + reach.ahead) / SPAN
        likely = (together >= FEWEST_TOGETHER) & (together >= LEAST_SHARE * smaller) & (together >= 2 * by_rates)
        likely[: place + 1 if reach.ahead else 0] = False  # around: each pair once
        likely[place] = False
        if not likely.any():
            continue
        glanced = np.zeros(len(places))
        for shift in GLANCES:
            glanced += np.add.reduceat(_close(leads, (seconds - shift) % SPAN, reach), firsts)
        usual = glanced / len(GLANCES)
        for other in np.flatnonzero(likely & (together >= LEAST_LIFT * usual)):
            lift = together[other] / max(float(usual[other]), 1 / DAYS)
            found.append((-lift * float(together[other]), first, places[other], int(together[other])))
    return [(first, second, count) for _, first, second, count in sorted(found)[:MOST_CANDIDATES]]


def _wrapped(times: Times) -> Times:
    return np.concatenate((times - SPAN, times, times + SPAN))


def _close(leads: Times, seconds: Times, reach: _Reach) -> Ints:
    """For each of `seconds` 1 if a lead is within reach, else 0."""
    last = np.searchsorted(leads, seconds + reach.ahead, "right" if reach.ahead else "left")
    return (last > np.searchsorted(leads, seconds - reach.back, "left")).astype(np.int64)


def _tested(first: Times, second: Times, reach: _Reach, together: int) -> tuple[float, float] | None:
    """How probable so many would be by chance, by the least favourable way of shifting, and how many chance gives."""
    leads = _wrapped(first)
    # Onsets closer than this were thinned out, so that far shifts only are comparable.
    hours = np.concatenate((np.arange(3, 9), -np.arange(3, 9))) * reach.back
    shifts = np.concatenate((np.arange(1, DAYS) * DAY, hours))
    counts = _close(leads, ((second[None, :] - shifts[:, None]) % SPAN).ravel(), reach)
    by_shift = counts.reshape(len(shifts), len(second)).sum(axis=1).astype(float)
    days, hourly = by_shift[: DAYS - 1], by_shift[DAYS - 1 :]
    weeks = days[6::7]
    mean = float(days.mean())
    # Weeks and hours are few: ten looks at the days' mean steady them.
    ways = [
        (float(days.sum()), float(len(days)), _dispersion(days)),
        (float(weeks.sum()) + 10 * mean, len(weeks) + 10.0, _dispersion(weeks)),
        (float(hourly.sum()) + 10 * mean, len(hourly) + 10.0, _dispersion(hourly)),
    ]
    expected = max(mean, float(weeks.mean()), float(hourly.mean()))
    if together < LEAST_LIFT * expected:
        return None
    p = max(predictive_tail(together / spread, seen / spread, looks) for seen, looks, spread in ways)
    return p, expected


def _dispersion(counts: Times) -> float:
    """How much more the counts vary than Poisson's do; never less."""
    mean = float(counts.mean())
    return max(1.0, float(counts.var(ddof=1)) / mean) if mean > 0 else 1.0


def _described(
    first: int, second: int, leads: Times, follows: Times, window: float, together: int, expected: float, p: float
) -> Pair:
    """The pair with its direction: who is first in four of five times leads."""
    place = np.searchsorted(leads, follows)
    before = leads[np.clip(place - 1, 0, len(leads) - 1)]
    after = leads[np.clip(place, 0, len(leads) - 1)]
    lags = np.where(np.abs(follows - before) <= np.abs(follows - after), follows - before, follows - after)
    lags = np.sort(lags[np.abs(lags) <= window])
    forward = float((lags > 0).mean()) if len(lags) else 0.5
    backward = float((lags < 0).mean()) if len(lags) else 0.5
    if backward >= ONE_WAY:
        return Pair(
            second, first, True, window, together, len(follows), len(leads), expected, np.sort(-lags[lags < 0]), p
        )
    directed = forward >= ONE_WAY
    return Pair(
        first,
        second,
        directed,
        window,
        together,
        len(leads),
        len(follows),
        expected,
        lags[lags > 0] if directed else lags,
        p,
    )


def _forest(found: list[Pair]) -> list[Pair]:
    """Without what stronger pairs explain: of twenty rules that one outage fires nineteen pairs are left, not 190."""
    tree: dict[int, int] = {}

    def root(place: int) -> int:
        while tree.get(place, place) != place:
            place = tree[place]
        return place

    kept = []
    for pair in sorted(found, key=lambda one: (one.p, -one.lift, one.first, one.second)):
        one, other = root(pair.first), root(pair.second)
        if one != other:
            tree[one] = other
            kept.append(pair)
    return kept
