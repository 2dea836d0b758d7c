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

TEAM: Final = 3
"""Candidates whose mean is the forecast: the mean of good ones is nearly always better than the best of them."""

_AS_GOOD: Final = 1.1
"""How much larger the errors of a further member of the team may be than those of the best."""

_NOTHING: Final = 1e-150
"""What is less is no pull: beside numbers up to `score.LARGEST` everything else can be divided."""


@dataclass(frozen=True, slots=True)
class Member:
    """A candidate and how much of its pull counts, at each of the stops."""

    candidate: Candidate
    weights: Numbers


@dataclass(frozen=True, slots=True)
class Team:
    """The candidates that were chosen; the forecast is their mean."""

    members: tuple[Member, ...]
    stops: Wholes

    @property
    def name(self) -> str:
        """For people, and for the record: the best first."""
        return " + ".join(member.candidate.name for member in self.members)

    def look(self, origins: Wholes, ahead: Wholes) -> Numbers:
        """What it forecasts: one row for each origin and one column for each number of steps ahead."""
        total = np.zeros((len(origins), len(ahead)))
        for member in self.members:
            foundation, pull = member.candidate.look(origins, ahead)
            total += foundation + pull * np.interp(ahead, self.stops, member.weights)[None, :]
        return total / len(self.members)


def origins_of(grid: Grid, first: int) -> Wholes:
    """Moments with a value, evenly spread from `first` to the last but one."""
    places = first + np.flatnonzero(grid.known[first:-1])
    if len(places) <= ORIGINS:
        return places
    return places[np.rint(np.linspace(0, len(places) - 1, ORIGINS)).astype(np.int64)]


def stops_of(furthest: int) -> Wholes:
    """From one step to the furthest."""
    return np.unique(np.rint(np.geomspace(1, furthest, STOPS)).astype(np.int64))


def chosen(grid: Grid, candidates: Sequence[Candidate], origins: Wholes, stops: Wholes) -> Team:
    """The best candidates by their mean absolute errors, each horizon counting the same."""
    truth, told = outcomes(grid, origins, stops)
    tried: list[tuple[float, Member]] = []
    errors: list[Numbers] = []
    for candidate in candidates:
        foundation, pull = candidate.look(origins, stops)
        weights = pulls(truth - foundation, pull, told)
        off = np.where(told, np.abs(truth - foundation - weights * pull), 0.0)
        errors.append(off.sum(axis=0) / np.maximum(1, told.sum(axis=0)))
        tried.append((0.0, Member(candidate, weights)))
    table = np.array(errors)
    best = table.min(axis=0)
    relative = np.mean(table / np.where(best > 0.0, best, 1.0) if np.any(best > 0.0) else table, axis=1)
    order = np.argsort(relative, kind="stable")[:TEAM]
    limit = _AS_GOOD * relative[order[0]]
    return Team(tuple(tried[at][1] for at in order if relative[at] <= limit), stops)


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
