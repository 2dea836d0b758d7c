"""A series at even steps, however unevenly its values came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from convex_detection.score import LARGEST

Numbers = NDArray[np.float64]
Wholes = NDArray[np.int64]
Flags = NDArray[np.bool_]
Series = Sequence[float] | NDArray[np.floating[Any]]

KEEP: Final = 8192
"""Steps that are looked at, the latest ones: four weeks of five minutes each."""

FEWEST: Final = 24
"""Values without which nothing is said."""

_SPARSEST: Final = 8
"""Steps there may be for each value; beyond that the step becomes longer."""


class TooLittle(ValueError):  # noqa: N818 - it reads as what it says
    """Too few values for what was asked; the message says how many are needed."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Step number i ends at `end - (len(values) - 1 - i) * step`; `known` says which steps had a value.

    The others are filled in by a straight line, so that windows can be taken over them; nothing is judged by them.
    """

    end: float
    step: float
    values: Numbers
    known: Flags

    def __len__(self) -> int:
        return len(self.values)

    @property
    def span(self) -> float:
        """Seconds from the first step to the last."""
        return (len(self.values) - 1) * self.step

    def steps(self, seconds: float) -> int:
        """The nearest whole number of steps."""
        return round(seconds / self.step)


def regular(times: Series, values: Series, *, keep: int = KEEP) -> Grid:
    """The series at even steps of its usual distance; several values within a step become their mean. TooLittle.

    `times` in seconds, in any order. What is no number is left out.
    """
    at, value = np.asarray(times, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if at.shape != value.shape or at.ndim != 1:
        raise ValueError(f"as many times as values are needed: {at.shape} and {value.shape}")
    real = np.isfinite(at) & np.isfinite(value)
    at, value = at[real], np.clip(value[real], -LARGEST, LARGEST)
    if len(at) < FEWEST:
        raise TooLittle(f"{FEWEST} values are needed, there are {len(at)}")
    if np.any(at[1:] < at[:-1]):
        order = np.argsort(at, kind="stable")
        at, value = at[order], value[order]
    apart = np.diff(at)
    apart = apart[apart > 0]
    if not len(apart):
        raise TooLittle("all values are of one moment: values over time are needed")
    span = float(at[-1] - at[0])
    step = max(float(np.median(apart)), span / (_SPARSEST * len(at)))
    slots = np.rint((at[-1] - at) / step).astype(np.int64)
    recent = slots < keep
    slots, value = slots[recent], value[recent]
    length = int(slots[0]) + 1
    slots = length - 1 - slots
    counts = np.bincount(slots, minlength=length)
    known = counts > 0
    if int(known.sum()) < FEWEST:
        raise TooLittle(f"{FEWEST} values over time are needed, there are {int(known.sum())}")
    filled: Numbers = np.bincount(slots, value, minlength=length).astype(np.float64)
    filled[known] /= counts[known]
    if not known.all():
        places = np.arange(length)
        filled[~known] = np.interp(places[~known], places[known], filled[known])
    return Grid(float(at[-1]), step, filled, known)
