"""All patterns of a history. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

import numpy as np

from convex_analytics.domain.patterns.cyclical import Cycle, cycle
from convex_analytics.domain.patterns.escalating import Growth, growth
from convex_analytics.domain.patterns.history import DAY, History, Strand
from convex_analytics.domain.patterns.noisy import Noisy, noise
from convex_analytics.domain.patterns.pairs import Pair, pairs
from convex_analytics.domain.patterns.pattern import Kind, Pattern, confidence_of
from convex_analytics.domain.patterns.seasonal import Rhythm, rhythm
from convex_analytics.domain.patterns.significance import benjamini_yekutieli

LEVEL: Final = 0.05


class Tested(Protocol):
    """A finding with the probability that chance makes one like it."""

    @property
    def p(self) -> float:
        """Before correction for the number of strands."""
        ...


F = TypeVar("F", bound=Tested)


def find(history: History) -> list[Pattern]:
    """Every pattern, the kinds one after another. A strand with a season has no cycle besides."""
    strands = history.strands
    seasonal = _believed(strands, lambda strand: rhythm(strand, history.origin))
    in_season = {strand.subject.key for strand, _, _ in seasonal}
    others = [strand for strand in strands if strand.subject.key not in in_season]
    return [
        *(_seasonal(strand, found, corrected, history) for strand, found, corrected in seasonal),
        *(_cyclical(strand, found, corrected) for strand, found, corrected in _believed(others, cycle)),
        *(_escalating(strand, found, corrected) for strand, found, corrected in _believed(strands, growth)),
        *(_pair(strands, found) for found in pairs(strands)),
        *(_noisy(strand, found) for strand in strands if (found := noise(strand)) is not None),
    ]


def _believed(strands: Sequence[Strand], test: Callable[[Strand], F | None]) -> list[tuple[Strand, F, float]]:
    found = [(strand, one) for strand in strands if (one := test(strand)) is not None]
    corrected = benjamini_yekutieli([one.p for _, one in found], len(strands))
    return [(strand, one, q) for (strand, one), q in zip(found, corrected, strict=True) if q <= LEVEL]


def _seasonal(strand: Strand, found: Rhythm, corrected: float, history: History) -> Pattern:
    hours = np.floor((strand.onsets + history.origin) / 3600).astype(int)
    return Pattern(
        kind=Kind.SEASONAL,
        subject=strand.subject,
        confidence=confidence_of(corrected),
        occurrences=found.inside,
        evidence={
            "period_seconds": found.period,
            "start_seconds": found.start,
            "width_seconds": found.width,
            "share": round(found.share, 3),
            "lift": round(found.lift, 1),
            "periods_with_it": found.active_units,
            "periods": found.units,
            "by_hour": np.bincount(hours % 24, minlength=24).tolist(),
            "by_weekday": np.bincount(hours // 24 % 7, minlength=7).tolist(),
            "p": corrected,
        },
    )


def _cyclical(strand: Strand, found: Cycle, corrected: float) -> Pattern:
    gaps = np.diff(strand.onsets)
    counts, _ = np.histogram(gaps, bins=24, range=(0, 3 * found.period))
    return Pattern(
        kind=Kind.CYCLICAL,
        subject=strand.subject,
        confidence=confidence_of(corrected),
        occurrences=found.kept,
        evidence={
            "period_seconds": round(found.period, 1),
            "kept": found.kept,
            "of": found.onsets,
            "concentration": round(found.concentration, 3),
            "by_interval": counts.tolist(),
            "interval_seconds": round(found.period / 8, 1),
            "p": corrected,
        },
    )


def _escalating(strand: Strand, found: Growth, corrected: float) -> Pattern:
    weeks = np.bincount((strand.onsets // (7 * DAY)).astype(int), minlength=8)
    return Pattern(
        kind=Kind.ESCALATING,
        subject=strand.subject,
        confidence=confidence_of(corrected),
        occurrences=found.onsets,
        evidence={
            "what": found.what,
            "before": round(found.before, 3),
            "after": round(found.after, 3),
            "days": found.days,
            "by_week": weeks.tolist(),
            "p": corrected,
        },
    )


def _pair(strands: Sequence[Strand], found: Pair) -> Pattern:
    low, middle, high = (float(one) for one in np.quantile(found.lags, (0.1, 0.5, 0.9)))
    least = 0.0 if found.directed else -found.window
    counts, _ = np.histogram(found.lags, bins=20, range=(least, found.window))
    return Pattern(
        kind=Kind.TRIGGERED_BY if found.directed else Kind.CORRELATED,
        subject=strands[found.second].subject,
        lead=strands[found.first].subject,
        confidence=confidence_of(found.corrected),
        occurrences=found.together,
        evidence={
            "together": found.together,
            "of_lead": found.of_first,
            "of_this": found.of_second,
            "expected": round(found.expected, 2),
            "lift": round(found.lift, 1),
            "window_seconds": found.window,
            "lag_seconds": {"p10": round(low, 1), "p50": round(middle, 1), "p90": round(high, 1)},
            "by_lag": counts.tolist(),
            "lag_from_seconds": least,
            "p": found.corrected,
        },
    )


def _noisy(strand: Strand, found: Noisy) -> Pattern:
    weeks = np.bincount((strand.onsets // (7 * DAY)).astype(int), minlength=8)
    return Pattern(
        kind=Kind.NOISY,
        subject=strand.subject,
        confidence=min(99, round(100 * found.share)),
        occurrences=len(strand.episodes),
        evidence={
            "reasons": {reason.value: {"count": count, "of": of} for reason, (count, of) in found.reasons.items()},
            "median_seconds": found.median_seconds,
            "by_week": weeks.tolist(),
        },
    )
