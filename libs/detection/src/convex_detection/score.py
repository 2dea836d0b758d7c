"""What a detector says of one value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a value has the score that it has."""

    MISSING = "missing"
    WARMING_UP = "warming_up"
    USUAL = "usual"
    RESTING = "resting"
    NEVER_SEEN = "never_seen"
    UNUSUAL_NOW = "unusual_now"
    LASTING_SHIFT = "lasting_shift"
    OUT_OF_BAND = "out_of_band"


@dataclass(frozen=True, slots=True)
class Score:
    """`value` is in [0, 1): from 0.5 on a person wants to know, at the default sensitivity.

    `expected` is what was expected, `low` and `high` what would have been usual, all in the series' own unit and None
    before there is anything to say. `confidence` is in [0, 1] and grows with what was seen. `nearest` is the distance
    to the nearest value ever seen.
    """

    value: float
    expected: float | None
    low: float | None
    high: float | None
    confidence: float
    reason: Reason
    nearest: float | None = None

    @property
    def is_anomaly(self) -> bool:
        """Whether it is one at the default sensitivity."""
        return self.value >= ANOMALY


ANOMALY = 0.5
"""The score from which on a value is an anomaly, at the default sensitivity."""

LARGEST = 1e120
"""Values beyond it count as it, so that sums and ratios of them stay numbers."""


def bounded(value: float) -> float:
    """The value within what detectors reckon with."""
    return max(-LARGEST, min(LARGEST, value))


def sentence(value: float, score: Score) -> str:
    """The reason in words for a person, in the series' unit."""
    usual = "" if score.low is None or score.high is None else f" (usual: {score.low:.4g} to {score.high:.4g})"
    match score.reason:
        case Reason.MISSING:
            return "no number"
        case Reason.WARMING_UP:
            return "too little was seen yet to say what is usual"
        case Reason.USUAL:
            return f"{value:.4g} is usual{usual}"
        case Reason.RESTING:
            return f"{value:.4g} is unusual{usual}, but less so than what was told before"
        case Reason.NEVER_SEEN:
            return f"{value:.4g} is {score.nearest or 0.0:.3g} away from anything seen before{usual}"
        case Reason.UNUSUAL_NOW:
            return f"{value:.4g} is unusual at this time{_off(value, score)}{usual}"
        case Reason.LASTING_SHIFT:
            return f"the last values lie together further {_side(value, score)} than they ever did{usual}"
        case Reason.OUT_OF_BAND:
            return f"{value:.4g} is {_side(value, score)} what is usual{usual}"


def _off(value: float, score: Score) -> str:
    return "" if score.expected is None else f": {abs(value - score.expected):.4g} {_side(value, score)} expected"


def _side(value: float, score: Score) -> str:
    return "above" if score.expected is None or value >= score.expected else "below"
