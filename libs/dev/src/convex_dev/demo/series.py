"""Series that look alive: rhythm, noise and incidents, each a pure function of seconds since the start."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Shape = Callable[[float], float]
DAY = 120.0
"""A day's rhythm in two minutes."""


@dataclass(frozen=True)
class Series:
    """`noise` is the spread of values around `shape`, as a share of it; the same second always has the same noise."""

    framework: str
    metric: str
    shape: Shape
    noise: float = 0.03
    labels: Mapping[str, str] = field(default_factory=dict)
    decimals: int = 1

    def value(self, second: int, seed: int) -> float:
        """The value at a second since the start, never below 0."""
        draw = random.Random(f"{seed}/{self.framework}/{self.metric}/{sorted(self.labels.items())}/{second}")  # noqa: S311
        return round(max(0.0, self.shape(second) * (1 + draw.gauss(0, self.noise))), self.decimals)


def rhythm(base: float, swing: float, phase: float = 0.0) -> Shape:
    """A smooth wave of one DAY around `base`."""
    return lambda t: base + swing * math.sin(2 * math.pi * (t + phase) / DAY)


def sawtooth(low: float, high: float, every: float, phase: float = 0.0) -> Shape:
    """Fills steadily from `low` to `high` and is emptied at once."""
    return lambda t: low + (high - low) * ((t + phase) % every) / every


def incident(calm: Shape, factor: float, *, every: float, start: float, length: float) -> Shape:
    """`calm`, times `factor` for `length` seconds from `start` on in each period; up and down within three seconds."""

    def shape(t: float) -> float:
        into = (t - start) % every if t >= start else every
        strength = min(1.0, (into + 1) / 3, (length - into) / 3) if into < length else 0.0
        return calm(t) * (1 + (factor - 1) * max(0.0, strength))

    return shape


def step(low: float, high: float, every: float) -> Shape:
    """Jumps between two levels."""
    return lambda t: high if (t % (2 * every)) >= every else low
