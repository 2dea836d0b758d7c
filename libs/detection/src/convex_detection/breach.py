"""When a threshold is first reached, from many ways in which a series may go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from convex_detection.edges import tail
from convex_detection.grid import Flags, Numbers

_UNITS: Final = ((86_400.0, "days"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


@dataclass(frozen=True, slots=True)
class Breach:
    """`probability` of one within the horizon; the times, in seconds after the last value, are those if it comes.

    `early` and `late` hold the middle four fifths of the cases. Without any case there are no times.
    """

    probability: float
    median: float | None
    early: float | None
    late: float | None

    def words(self) -> str:
        """For a person: "breach in about 40 min (30 to 55), 92 % chance"."""
        chance = "more than 99" if self.probability > 0.99 else "less than 1" if self.probability < 0.01 else ""
        chance = f"{chance or format(100 * self.probability, '.0f')} %"
        if self.median is None or self.early is None or self.late is None:
            return f"no breach is expected ({chance} chance)"
        if self.late <= 0.0:
            return "breached now"
        size, unit = next((size, unit) for size, unit in _UNITS if self.median >= 1.5 * size or size == 1.0)
        median, early, late = (f"{seconds / size:.0f}" for seconds in (self.median, self.early, self.late))
        return f"breach in about {median} {unit} ({early} to {late}), {chance} chance"


def breach_of(paths: Numbers, told: Flags, threshold: float, after: Numbers, *, now: bool = False) -> Breach:
    """Of paths, one a row, that are known where `told`: a path that ends early counts for as long as it is known.

    The share that has breached by each time is Kaplan and Meier's (1958) estimate, which needs no path to be whole.
    """
    if now:
        return Breach(1.0, 0.0, 0.0, 0.0)
    reached = told & (paths >= threshold)
    ends = np.where(told.any(axis=1), told.shape[1] - np.argmax(told[:, ::-1], axis=1), 0)
    firsts = np.where(reached.any(axis=1), np.argmax(reached, axis=1), told.shape[1])
    columns = np.arange(told.shape[1])
    at_risk = (np.minimum(firsts, ends - 1)[:, None] >= columns[None, :]).sum(axis=0)
    hits = np.bincount(firsts, minlength=told.shape[1] + 1)[:-1]
    left = np.cumprod(1.0 - hits / np.maximum(1, at_risk))
    share = 1.0 - left
    cases = len(paths)
    probability = float((share[-1] * cases + 0.5) / (cases + 1))
    if share[-1] <= 0.0:
        return Breach(probability, None, None, None)

    def place_of(part: float) -> int:
        return int(np.argmax((share >= part * share[-1] - 1e-12) & (share > 0.0)))

    middle = place_of(0.5)
    part = tail(0.1, paths[told[:, middle], middle])
    early, late = place_of(part), place_of(1.0 - part)
    return Breach(probability, float(after[middle]), float(after[early]), float(after[late]))
