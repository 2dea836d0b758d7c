"""Which candidate would have been right so far: each looks ahead from many earlier moments, and errors are counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from convex_detection.candidates import Candidate
from convex_detection.grid import Flags, Grid, Numbers, Wholes

ORIGINS: Final = 192
"""Earlier moments that are tried, evenly spread."""

STOPS: Final = 12
"""Horizons by which candidates are compared, closer together where they are short."""

_NOTHING: Final = 1e-150
"""What is less is no pull: beside numbers up to `score.LARGEST` everything else can be divided."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The candidate that was chosen, and how much of its pull counts at each of the stops."""

    candidate: Candidate
    stops: Wholes
    weights: Numbers

    def look(self, origins: Wholes, ahead: Wholes) -> Numbers:
        """What it forecasts: one row for each origin and one column for each number of steps ahead."""
        foundation, pull = self.candidate.look(origins, ahead)
        found: Numbers = foundation + pull * np.interp(ahead, self.stops, self.weights)[None, :]
        return found


def origins_of(grid: Grid, first: int) -> Wholes:
    """Moments with a value, evenly spread from `first` to the last but one."""
    places = first + np.flatnonzero(grid.known[first:-1])
    if len(places) <= ORIGINS:
        return places
    return places[np.rint(np.linspace(0, len(places) - 1, ORIGINS)).astype(np.int64)]


def stops_of(furthest: int) -> Wholes:
    """From one step to the furthest."""
    return np.unique(np.rint(np.geomspace(1, furthest, STOPS)).astype(np.int64))


def chosen(grid: Grid, candidates: Sequence[Candidate], origins: Wholes, stops: Wholes) -> Choice:
    """The best candidate by its mean absolute errors, each horizon counting the same.

    The mean of the best three or five was no better on real series, and one can be named.
    """
    truth, told = outcomes(grid, origins, stops)
    tried: list[Choice] = []
    errors: list[Numbers] = []
    for candidate in candidates:
        foundation, pull = candidate.look(origins, stops)
        weights = pulls(truth - foundation, pull, told)
        off = np.where(told, np.abs(truth - foundation - weights * pull), 0.0)
        errors.append(off.sum(axis=0) / np.maximum(1, told.sum(axis=0)))
        tried.append(Choice(candidate, stops, weights))
    table = np.array(errors)
    usual = np.median(table, axis=0)
    return tried[int(np.argmin(np.sum(table[:, usual > 0.0] / usual[usual > 0.0], axis=1)))]


def outcomes(grid: Grid, origins: Wholes, ahead: Wholes) -> tuple[Numbers, Flags]:
    """What came that many steps after each origin, and whether that is known."""
    at = origins[:, None] + ahead[None, :]
    within = at < len(grid)
    at = np.minimum(at, len(grid) - 1)
    return grid.values[at], within & grid.known[at]


def pulls(wanted: Numbers, pull: Numbers, told: Flags) -> Numbers:
    """The weight between 0 and 1 that makes the absolute errors smallest, for each column: a weighted median."""
    size = np.where(told & (np.abs(pull) > _NOTHING), np.abs(pull), 0.0)
    ratio = np.where(size > 0.0, wanted / np.where(size > 0.0, pull, 1.0), 0.0)
    order = np.argsort(ratio, axis=0, kind="stable")
    sums = np.cumsum(np.take_along_axis(size, order, axis=0), axis=0)
    at = np.argmax(sums >= sums[-1] / 2, axis=0)
    columns = np.arange(pull.shape[1])
    return np.where(sums[-1] > 0.0, np.clip(ratio[order[at, columns], columns], 0.0, 1.0), 0.0)
