"""Rules that call people for nothing. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from convex_analytics.domain.patterns.history import Strand
from convex_analytics.domain.patterns.significance import at_least

FEWEST: Final = 15
FEWEST_VERDICTS: Final = 4
SHORT: Final = 900.0
SOON: Final = 900.0


class Noise(StrEnum):
    """Why it is noise."""

    FALSE_ALARMS = "false_alarms"
    FLAPPING = "flapping"
    ENDS_BY_ITSELF = "ends_by_itself"
    NEVER_ACKNOWLEDGED = "never_acknowledged"


LIMITS: Final = {
    Noise.FALSE_ALARMS: 0.5,
    Noise.FLAPPING: 0.4,
    Noise.ENDS_BY_ITSELF: 0.7,
    Noise.NEVER_ACKNOWLEDGED: 0.9,
}
"""The share, vouched for with 95 %, from which on it is noise; what is never acknowledged has to end soon besides."""


@dataclass(frozen=True, slots=True)
class Noisy:
    """How often each reason held, of how many; the worst first."""

    reasons: dict[Noise, tuple[int, int]]
    median_seconds: float | None
    share: float


def noise(strand: Strand) -> Noisy | None:
    """What speaks against the rule; None where nothing does. What somebody called useful is no noise."""
    episodes = strand.episodes
    if len(episodes) < FEWEST:
        return None
    judged = [one for one in episodes if one.useful is not None]
    lengths = np.array([(one.resolved_at - one.triggered_at).total_seconds() for one in episodes if one.resolved_at])
    short = [
        one
        for one in episodes
        if one.resolved_at is not None
        and one.by_itself
        and not one.acknowledged
        and not one.useful
        and (one.resolved_at - one.triggered_at).total_seconds() <= SHORT
    ]
    unheeded = sum(not one.acknowledged and not one.useful for one in episodes)
    counted = {
        Noise.FALSE_ALARMS: (sum(one.useful is False for one in judged), len(judged)),
        Noise.FLAPPING: (_flaps(strand), len(episodes)),
        Noise.ENDS_BY_ITSELF: (len(short), len(episodes)),
        Noise.NEVER_ACKNOWLEDGED: (unheeded if unheeded == len(episodes) else 0, len(episodes)),
    }
    if len(judged) < FEWEST_VERDICTS:
        del counted[Noise.FALSE_ALARMS]
    shares = {reason: at_least(*count) for reason, count in counted.items()}
    found = sorted((r for r in counted if shares[r] >= LIMITS[r]), key=lambda r: -shares[r])
    # That nobody acknowledges may be how people work there; beside another reason it says more.
    if not found or (found == [Noise.NEVER_ACKNOWLEDGED] and len(episodes) < 2 * FEWEST):
        return None
    if any(one.useful for one in judged) and sum(one.useful is True for one in judged) * 2 >= len(judged):
        return None
    median = float(np.median(lengths)) if len(lengths) else None
    return Noisy({reason: counted[reason] for reason in found}, median, max(shares[r] for r in found))


def _flaps(strand: Strand) -> int:
    """Episodes that were reopened, or that began soon after the one before had ended by itself."""
    flapping = 0
    before = None
    for one in strand.episodes:
        soon = (
            before is not None
            and before.by_itself
            and before.resolved_at is not None
            and 0 <= (one.triggered_at - before.resolved_at).total_seconds() <= SOON
        )
        flapping += bool(one.reopened) or soon
        before = one
    return flapping
