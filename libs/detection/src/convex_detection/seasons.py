"""Whether a series repeats itself with a period, how much of it that explains, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from convex_detection.grid import Grid, Numbers, Series, TooLittle, regular

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
WEEK: Final = 7 * DAY

ROUNDS: Final = 999
"""Shuffled series that the real one is compared with: the smallest p is one in a thousand."""

_PHASES: Final = 48
_FEWEST: Final = 3


@dataclass(frozen=True, slots=True)
class Season:
    """`strength` from 0 to 1: the share of the variance within periods that the usual shape explains.

    `shape` is the deviation from the period's mean in each of as many equal parts, the first one beginning at a
    multiple of the period since the epoch. `p` is the probability of a shape as strong in a series without this period.
    """

    period: float
    strength: float
    p: float
    shape: tuple[float, ...]
    periods: int


def season_of(times: Series, values: Series, period: float, *, rounds: int = ROUNDS) -> Season:
    """Test one period, in seconds. TooLittle where fewer than three are known.

    Each period is turned by a random phase, again and again: memory, outliers and shape of the noise stay, only what
    the periods have in common goes. `p` counts how often what is left in common is as strong as in the series.
    """
    return _tested(regular(times, values), period, rounds)


def seasons_of(times: Series, values: Series, *, rounds: int = ROUNDS) -> list[Season]:
    """Hour, day and week, where they are long enough to be known, each tested on what the shorter ones left."""
    grid, made = regular(times, values), []
    for period in (HOUR, DAY, WEEK):
        try:
            found = _tested(grid, period, rounds)
        except TooLittle:
            continue
        made.append(found)
        if found.p < 0.05:
            rest = grid.values - _fitted(_times(grid), found)
            grid = Grid(grid.end, grid.step, rest, grid.known)
    return made


def without(times: Series, values: Series, seasons: Sequence[Season]) -> Numbers:
    """The values without these rhythms: what is left for a test of trends or changes."""
    at, rest = np.asarray(times, dtype=np.float64), np.array(values, dtype=np.float64)
    for season in seasons:
        rest -= _fitted(at, season)
    return rest


def _tested(grid: Grid, period: float, rounds: int) -> Season:
    phases = int(min(_PHASES, period / grid.step))
    if phases < 4:
        raise TooLittle(f"a period of {period:.0f} s needs four values, one comes every {grid.step:.0f} s")
    at = _times(grid)[grid.known]
    part = np.floor(at / period * phases).astype(np.int64)
    part -= part[0] - part[0] % phases
    rows = int(part[-1]) // phases + 1
    counts = np.bincount(part, minlength=rows * phases)
    sums = np.bincount(part, grid.values[grid.known], minlength=rows * phases)
    filled = np.interp(np.arange(rows * phases), np.flatnonzero(counts), (sums / np.maximum(1, counts))[counts > 0])
    if rows < _FEWEST:
        raise TooLittle(f"{_FEWEST} periods of {period:.0f} s are needed, {rows} are known")
    steady = filled - _wander(filled, phases)
    table = steady.reshape(rows, phases)[(counts.reshape(rows, phases) > 0).mean(axis=1) >= 0.5]
    if len(table) < _FEWEST:
        raise TooLittle(f"{_FEWEST} periods of {period:.0f} s are needed, {len(table)} are known")
    table = table - table.mean(axis=1, keepdims=True)
    shape = np.median(table, axis=0)
    all_of_it = float(np.sum(table**2))
    if all_of_it <= 1e-12 * float(np.max(np.abs(filled))) ** 2:
        return Season(period, 0.0, 1.0, (0.0,) * phases, len(table))
    strength = max(0.0, 1.0 - float(np.sum((table - shape) ** 2)) / all_of_it)
    return Season(period, strength, _chance(table, rounds), tuple(map(float, shape)), len(table))


def _chance(table: Numbers, rounds: int) -> float:
    """The share of turned tables whose sum is as large as the real one's; each period counts by its ranks."""
    ranks = np.sign(table[:, :, None] - table[:, None, :]).sum(axis=2)
    parts = np.fft.rfft(ranks, axis=1)[:, 1:]
    real = float(np.sum(np.abs(parts.sum(axis=0)) ** 2))
    source = np.random.default_rng(0)  # the same answer for the same series
    turns = source.integers(0, table.shape[1], size=(rounds, len(table)))
    waves = np.arange(1, parts.shape[1] + 1)
    roots = np.exp(-2j * np.pi * np.arange(table.shape[1])[:, None] * waves[None, :] / table.shape[1])
    total = np.zeros((rounds, parts.shape[1]), dtype=np.complex128)
    for row in range(len(table)):
        total += parts[row] * roots[turns[:, row]]
    chance = np.sum(np.abs(total) ** 2, axis=1)
    return float((1 + np.sum(chance >= real)) / (rounds + 1))


def _wander(values: Numbers, window: int) -> Numbers:
    """The mean over one period around each value, which no rhythm of that period is in; straight on at both ends."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    means = (sums[window:] - sums[:-window]) / window
    slope = (means[-1] - means[0]) / max(1, len(means) - 1)
    at = np.arange(len(values)) - (window - 1) / 2
    inside = np.interp(at, np.arange(len(means)), means)
    beyond = np.minimum(at, 0.0) + np.maximum(at - (len(means) - 1), 0.0)
    wander: Numbers = inside + slope * beyond
    return wander


def _fitted(at: Numbers, season: Season) -> Numbers:
    part = np.floor(at / season.period * len(season.shape)).astype(np.int64) % len(season.shape)
    fitted: Numbers = np.array(season.shape)[part]
    return fitted


def _times(grid: Grid) -> Numbers:
    return grid.end - grid.step * np.arange(len(grid) - 1, -1, -1, dtype=np.float64)
