"""Alerts that come back after the same time, whatever that is. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from convex_analytics.domain.patterns.history import DAY, Strand, Times
from convex_analytics.domain.patterns.significance import binomial_tail

BIN: Final = 60.0
SHORTEST: Final = 600.0
FEWEST: Final = 12
CYCLES: Final = 8
CONCENTRATED: Final = 0.45
"""The least length of the mean vector of phases: 0 for random ones, 1 for clockwork."""
NEAR: Final = 1.15
LEAST_SHARE: Final = 0.6
CALENDAR: Final = (DAY, 7 * DAY)
"""Seasons, not cycles."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """A period in seconds, how many of the onsets keep it, and by which evidence."""

    period: float
    kept: int
    onsets: int
    concentration: float
    p: float


def cycle(strand: Strand) -> Cycle | None:
    """The period by the clock, or by the length of the intervals where the clock is not kept; None without one."""
    times = strand.sessions(BIN)
    if len(times) < FEWEST:
        return None
    found = [one for one in (_by_clock(times), _by_intervals(times)) if one is not None]
    found = [one for one in found if all(abs(one.period / season - 1) > 0.02 for season in CALENDAR)]
    return min(found, key=lambda one: one.p, default=None)


def _by_clock(times: Times) -> Cycle | None:
    """A peak of the periodogram, held against its own neighbourhood, since bursts raise all low frequencies."""
    span = float(times[-1] - times[0])
    if span < CYCLES * SHORTEST:
        return None
    bins = np.bincount(((times - times[0]) / BIN).astype(int))
    size = 1 << (4 * len(bins) - 1).bit_length()
    power = np.abs(np.fft.rfft(bins, size)) ** 2 / len(times)
    step = 1 / (size * BIN)
    low, high = math.ceil(CYCLES / span / step), int(1 / SHORTEST / step)
    if high - low < 16:
        return None
    looked = power[low : min(high, len(power))]
    peak = float(looked.max())
    first = int(np.argmax(looked >= 0.75 * peak))  # a train of pulses peaks at every multiple: the first is its own
    last = first
    while last + 1 < len(looked) and looked[last + 1] > looked[last]:
        last += 1
    around = looked[max(0, last - 400) : last + 401]
    usual = max(1.0, float(np.median(around)) / math.log(2))
    period = 1 / ((low + last) * step)
    concentration = math.sqrt(min(1.0, float(looked[last]) / len(times)))
    if concentration < CONCENTRATED:
        return None
    p = min(1.0, 2 * len(looked) / 4 * math.exp(-float(looked[last]) / usual))
    phases = np.angle(np.exp(2j * math.pi * times / period) / np.exp(1j * _mean_phase(times, period)))
    kept = int((np.abs(phases) <= math.pi / 4).sum())
    return Cycle(period, kept, len(times), concentration, p)


def _mean_phase(times: Times, period: float) -> float:
    return float(np.angle(np.exp(2j * math.pi * times / period).sum()))


def _by_intervals(times: Times) -> Cycle | None:
    """Most intervals are within 15 % of one length; of random ones at most a tenth are."""
    gaps = np.sort(np.diff(times))
    counts = np.searchsorted(gaps, gaps * NEAR, "right") - np.searchsorted(gaps, gaps / NEAR, "left")
    place = int(np.argmax(counts))
    kept, period = int(counts[place]), float(gaps[place])
    if period < SHORTEST or kept / len(gaps) < LEAST_SHARE:
        return None
    close = gaps[(gaps >= period / NEAR) & (gaps <= period * NEAR)]
    p = min(1.0, 2 * len(gaps) * binomial_tail(kept, len(gaps), 0.15))
    return Cycle(float(np.median(close)), kept, len(gaps), kept / len(gaps), p)
