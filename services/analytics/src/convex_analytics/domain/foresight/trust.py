"""How far what was learnt is to be trusted beside the plain rate: as far as it would have been right before.

Where there is no rhythm, what is learnt of one is noise, and a plain rate is hard to beat. Week by week of the past,
both are asked for what came next, and the probability that is given lies between the two: at the share that would have
had the least squared error, drawn to a belief by how little the past can tell. Empirical Bayes; nothing but the
framework's own history decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from convex_analytics.domain.foresight.history import WEEK, Rates

FIRST: Final = 2 * WEEK
"""Hours before anybody is asked."""

BELIEF, SPREAD = 0.3, 0.3
"""The share that is thought before anything is known, and how far off that may be (one standard deviation)."""

FAR: Final = 3.0
"""So many times as far as the two usually were apart, the plain rate may draw at most: what never happened before, such
as a first outage that goes on, is nothing that the past could judge."""

_LEAST_NOISE: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Asked:
    """What was foretold of some windows at a moment of the past, by what was learnt and by the plain rate, and what
    came: all in their order."""

    learnt: Rates
    plain: float
    came: Rates


def rate(came: Rates | NDArray[np.bool_]) -> float:
    """The plain one of some windows: one half of each outcome is added, so that it is never sure of itself."""
    return float((came.sum() + 0.5) / (len(came) + 1))


def trusted(learnt: float, plain: float, asked: list[Asked], horizon: int) -> float:
    """The probability between the two. Windows of `horizon` hours begin every hour and overlap, so that many of them
    tell no more than one."""
    apart = surprise = noise = 0.0
    windows = 0
    for one in asked:
        difference = one.learnt - one.plain
        apart += float(difference @ difference)
        surprise += float(difference @ (one.came - one.plain))
        noise += float(((one.came - one.plain) ** 2).sum())
        windows += len(one.came)
    if windows == 0:  # too little is known for a rate, and what was learnt begins at the general expectation
        return learnt
    drawn = max(noise / windows, _LEAST_NOISE) / SPREAD**2
    weight = min(1.0, max(0.0, (BELIEF * drawn + surprise / horizon) / (drawn + apart / horizon)))
    most = FAR * math.sqrt(apart / windows)
    return learnt - min(most, max(-most, (1.0 - weight) * (learnt - plain)))
