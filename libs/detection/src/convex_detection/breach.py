"""When a threshold is first reached, from many ways in which a series may go on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convex_detection.edges import tail
from convex_detection.grid import Flags, Numbers


@dataclass(frozen=True, slots=True)
class Breach:
    """`probability` of one within the horizon; the times, in seconds after the last value, are those if it comes.

    `early` and `late` hold the middle four fifths of the cases. Without any case there are no times.
    """

    probability: float
    median: float | None
    early: float | None
    late: float | None


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
