"""The probability that something happens within so many hours: the rhythm's, corrected by what the past teaches, and
trusted beside the plain rate as far as that would have been right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from convex_analytics.domain.foresight.history import WEEK, History, Rates
from convex_analytics.domain.foresight.rhythm import HALF_LIFE, learn
from convex_analytics.domain.foresight.trust import FIRST, Asked, rate, trusted

HORIZONS: Final = (1, 4, 24, 168)
"""Hours that are looked ahead."""

MEMORIES: Final = (3.0, 24.0, 168.0)
"""Hours over which more may happen than the rhythm says: an event excites the next, or things changed."""

_DOUBT: Final = (0.5, 1.0, 2.0)
_BURN_IN: Final = 72
"""Hours before anything is learnt of the correction."""

_MEAN: Final = np.array([0.0, 1.0, 0.1, 0.1, 0.2])
_PRECISION: Final = 1.0 / np.array([0.7, 0.4, 0.3, 0.3, 0.4]) ** 2
LEAST: Final = 0.002
"""Nothing is thought to be surer than this."""


@dataclass(frozen=True, slots=True)
class Odds:
    """Of one kind of event, as of the history's end."""

    by_horizon: dict[int, float]
    usual: dict[int, float]
    """The share of the past's windows of that length in which it happened; NaN where there was none."""
    levels: dict[float, float]
    """By memory: how many times as many hours with events there were as the rhythm expected."""
    hazards: Rates
    """By hour to come, a week of them, what the rhythm says."""
    table: Rates
    """Each hour of the week's probability, Monday 00:00 UTC first."""


def odds(history: History, events: NDArray[np.bool_]) -> Odds:
    """`events` says of each hour of the history whether it happened."""
    count = len(events)
    hours = history.hours_of_week(0, count)
    rhythm = learn(events, hours)
    now = rhythm.known[-1]
    hazards = -np.log1p(-now[history.hours_of_week(count, WEEK)])
    levels = _levels(events, rhythm.expected)  # row t: before hour t
    by_horizon, usual, so_far = {}, {}, 0.0
    for horizon in HORIZONS:
        begins = np.arange(0, count - horizon + 1)
        came = _within(events, begins, horizon)
        usual[horizon] = float(came.mean()) if len(begins) else float("nan")
        learnt = begins[begins >= _BURN_IN]
        rows = _rows(_rhythm_odds(rhythm.known, hours, learnt, horizon), levels[learnt])
        coefficients = _learn(rows, came, learnt, horizon, count)
        here = _rows(np.array([_logit(-np.expm1(-hazards[:horizon].sum()))]), levels[count : count + 1])
        corrected = float(_sigmoid(here @ coefficients)[0])
        chance = trusted(corrected, rate(came), _asked(rows, came, learnt, horizon), horizon)
        so_far = max(so_far, min(1.0 - LEAST, max(LEAST, chance)))  # a longer time holds the shorter
        by_horizon[horizon] = so_far
    named = {memory: float(np.exp(level)) for memory, level in zip(MEMORIES, levels[count], strict=True)}
    return Odds(by_horizon, usual, named, hazards, now)


def _learn(rows: Rates, came: NDArray[np.bool_], begins: NDArray[np.int64], horizon: int, now: int) -> Rates:
    """The correction, as windows that are over at `now` teach it."""
    over = begins + horizon <= now
    if not over.any():
        return _MEAN
    weight = 0.5 ** ((now - begins[over]) / HALF_LIFE) / horizon
    return _fit(rows[over], came[begins[over]].astype(float), weight)


def _asked(rows: Rates, came: NDArray[np.bool_], begins: NDArray[np.int64], horizon: int) -> list[Asked]:
    """What would have been said each week of the windows that began in it, by what was known when it began."""
    found = []
    for now in range(FIRST, len(came), WEEK):
        of_week = (begins >= now) & (begins < now + WEEK)
        coefficients = _learn(rows, came, begins, horizon, now)
        plain = rate(came[: now - horizon + 1])
        found.append(Asked(_sigmoid(rows[of_week] @ coefficients), plain, came[begins[of_week]].astype(float)))
    return found


def _within(events: NDArray[np.bool_], begins: NDArray[np.int64], horizon: int) -> NDArray[np.bool_]:
    total = np.concatenate([[0], np.cumsum(events)])
    return np.asarray(total[begins + horizon] > total[begins])


def _levels(events: NDArray[np.bool_], expected: Rates) -> Rates:
    """The logarithm of happened over expected, each with its doubt: one row per hour and one for now, of what was
    before it."""
    rows = np.empty((len(events) + 1, len(MEMORIES)))
    for column, (memory, doubt) in enumerate(zip(MEMORIES, _DOUBT, strict=True)):
        kernel = np.exp(-np.arange(min(len(events), int(5 * memory)) + 1) / memory)
        happened = np.convolve(events.astype(float), kernel)[: len(events)] if len(events) else np.empty(0)
        thought = np.convolve(expected, kernel)[: len(events)] if len(events) else np.empty(0)
        rows[0, column] = 0.0
        rows[1:, column] = np.log((happened + doubt) / (thought + doubt))
    return rows


def _rhythm_odds(known: Rates, hours: NDArray[np.int64], begins: NDArray[np.int64], horizon: int) -> Rates:
    """What the rhythm said of each window, by what was known on the morning of its first day."""
    weeks = np.concatenate([[0.0], np.cumsum(np.ones(2 * WEEK))])  # of the right length; filled by day
    said = np.empty(len(begins))
    days = begins // 24
    for day in np.unique(days):
        weeks[1:] = np.cumsum(np.tile(-np.log1p(-known[day]), 2))
        of_day = np.flatnonzero(days == day)
        at = hours[begins[of_day]] if len(hours) else np.empty(0, dtype=np.int64)
        said[of_day] = weeks[at + horizon] - weeks[at]
    return _logit(-np.expm1(-said))


def _rows(rhythm: Rates, levels: Rates) -> Rates:
    return np.column_stack([np.ones(len(rhythm)), rhythm, levels])


def _fit(rows: Rates, came: Rates, weight: Rates) -> Rates:
    """The likeliest correction, drawn to none; Newton's method, halved where a step overshoots."""
    at, worth = _MEAN, -np.inf
    step = np.zeros_like(_MEAN)
    for _ in range(20):
        tried = at + step
        drawn = tried - _MEAN
        said = rows @ tried
        found = float(weight @ (came * said - np.logaddexp(0.0, said)) - 0.5 * _PRECISION @ drawn**2)
        if found < worth - 1e-12:
            step = step / 2
            continue
        if found - worth < 1e-7:
            return np.asarray(tried)
        at, worth = tried, found
        chance = _sigmoid(said)
        slope = rows.T @ (weight * (came - chance)) - _PRECISION * drawn
        bend = (rows * (weight * chance * (1.0 - chance))[:, None]).T @ rows + np.diag(_PRECISION)
        step = np.linalg.solve(bend, slope)
    return np.asarray(at)


def _sigmoid(x: Rates) -> Rates:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))


def _logit(chance: Rates | np.float64) -> Rates:
    bounded = np.clip(chance, 1e-6, 1.0 - 1e-6)
    return np.asarray(np.log(bounded) - np.log1p(-bounded))
