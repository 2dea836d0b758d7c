"""Series with a known shape: times in seconds since the epoch and values."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from itertools import accumulate

DAY = 86_400
BEGIN = 19_700 * DAY

Shape = Callable[[float, random.Random], float]


def made(shape: Shape, *, days: int = 42, step: int = 300, seed: int = 1) -> Iterator[tuple[float, float]]:
    """A value of the shape (of the days since it began) every `step` seconds."""
    source = random.Random(seed)
    for number in range(days * DAY // step):
        yield BEGIN + number * step, shape(number * step / DAY, source)


def daily(day: float) -> float:
    """One period a day, between -1 and 1."""
    return math.sin(2 * math.pi * day)


def is_weekend(day: float) -> bool:
    """Whether that day is one of two in seven."""
    return int(day + BEGIN / DAY) % 7 >= 5


def holes(series: Iterator[tuple[float, float]], source: random.Random) -> Iterator[tuple[float, float]]:
    """Every fifth day is missing, and a fifth of the rest; what is left is now and then no number."""
    for at, value in series:
        if int(at // DAY) % 5 != 4 and source.random() > 0.2:
            yield at, math.nan if source.random() < 0.01 else value


def counter(*, days: int, step: int, resets_every: int) -> Iterator[tuple[float, float]]:
    """A counter that grows by about seven a step and begins anew."""
    source = random.Random(1)
    grown = accumulate(7 + source.random() for _ in range(days * DAY // step))
    total = 0.0
    for number, value in enumerate(grown):
        if number and number % resets_every == 0:
            total = value
        yield BEGIN + number * step, value - total
