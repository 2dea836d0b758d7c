"""How surprising a count is, and which of many surprises to believe. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def binomial_tail(hits: int, trials: int, share: float) -> float:
    """The probability of `hits` or more of `trials`, each of which succeeds with probability `share`."""
    if hits <= 0:
        return 1.0
    if share <= 0 or hits > trials:
        return 0.0
    if share >= 1:
        return 1.0
    logs = [
        math.lgamma(trials + 1)
        - math.lgamma(k + 1)
        - math.lgamma(trials - k + 1)
        + k * math.log(share)
        + (trials - k) * math.log1p(-share)
        for k in range(hits, trials + 1)
    ]
    most = max(logs)
    return min(1.0, math.exp(most) * math.fsum(math.exp(one - most) for one in logs))


def predictive_tail(count: float, seen: float, looks: float) -> float:
    """The probability of `count` or more where `looks` comparable looks saw `seen` altogether.

    The Poisson distribution with its rate known only from those looks: a negative binomial. Few looks prove little.
    """
    k = math.floor(count)
    if k <= 0:
        return 1.0
    size, q = seen + 1.0, 1.0 / (looks + 1.0)
    term = math.exp(
        math.lgamma(k + size) - math.lgamma(k + 1) - math.lgamma(size) + size * math.log1p(-q) + k * math.log(q)
    )
    total = term
    while term > total * 1e-12 and k < 1_000_000:
        term *= (k + size) / (k + 1) * q
        total += term
        k += 1
    return min(1.0, total)


def distribution(shares: Floats) -> Floats:
    """The probabilities of 0, 1, … successes of independent trials with these probabilities of their own."""
    found = np.zeros(len(shares) + 1)
    found[0] = 1.0
    for place, share in enumerate(shares, start=1):
        found[1 : place + 1] = found[1 : place + 1] * (1 - share) + found[:place] * share
        found[0] *= 1 - share
    return found


def normal_tail(z: float) -> float:
    """The probability of a standard normal value of `z` or more."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def benjamini_yekutieli(values: Sequence[float], tests: int | None = None) -> list[float]:
    """The values corrected for `tests` of them, however these depend on one another, in the order given.

    Those at 0.05 or below hold one false discovery in twenty on average. Tests that are not listed count as failed.
    """
    count = max(tests or 0, len(values))
    penalty = math.fsum(1 / k for k in range(1, count + 1))
    order = sorted(range(len(values)), key=lambda i: values[i], reverse=True)
    corrected = [1.0] * len(values)
    least = 1.0
    for place, i in enumerate(order):
        rank = len(values) - place
        least = min(least, values[i] * count * penalty / rank)
        corrected[i] = least
    return corrected


def at_least(hits: int, trials: int, z: float = 1.645) -> float:
    """The share that `hits` of `trials` vouch for with 95 % (Wilson's lower bound)."""
    if not trials:
        return 0.0
    share = hits / trials
    middle = share + z * z / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(0.0, (middle - spread) / (1 + z * z / trials))
