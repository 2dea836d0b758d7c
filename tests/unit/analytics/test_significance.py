"""Tails and corrections, held against what can be counted."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from convex_analytics.domain.patterns.significance import (
    at_least,
    benjamini_yekutieli,
    binomial_tail,
    distribution,
    normal_tail,
    predictive_tail,
)


@pytest.mark.parametrize(
    ("hits", "trials", "share", "tail"),
    [(0, 5, 0.1, 1.0), (5, 5, 0.5, 1 / 32), (3, 5, 0.5, 0.5), (6, 5, 0.5, 0.0), (1, 5, 0.0, 0.0), (5, 5, 1.0, 1.0)],
)
def test_binomial_tail(hits: int, trials: int, share: float, tail: float) -> None:
    assert binomial_tail(hits, trials, share) == pytest.approx(tail)


def test_distribution_is_that_of_all_outcomes() -> None:
    shares = np.array([0.1, 0.5, 0.7])
    counted = np.zeros(4)
    for outcome in itertools.product((0, 1), repeat=3):
        counted[sum(outcome)] += math.prod(s if one else 1 - s for s, one in zip(shares, outcome, strict=True))
    assert distribution(shares) == pytest.approx(counted)


def test_many_looks_make_a_poisson_of_the_predictive_tail() -> None:
    poisson = 1 - math.exp(-2) * (1 + 2 + 2)
    assert predictive_tail(3, 2e6, 1e6) == pytest.approx(poisson, rel=1e-3)
    assert predictive_tail(3, 2, 1) > poisson, "few looks prove less"
    assert predictive_tail(0, 1, 1) == 1


def test_normal_tail() -> None:
    assert normal_tail(1.6449) == pytest.approx(0.05, abs=1e-4)


def test_correction_by_hand() -> None:
    penalty = 1 + 1 / 2 + 1 / 3
    assert benjamini_yekutieli([0.03, 0.01, 0.5]) == pytest.approx([0.045 * penalty, 0.03 * penalty, 0.5 * penalty])


def test_tests_that_are_not_listed_count() -> None:
    assert benjamini_yekutieli([0.001], 100)[0] == pytest.approx(0.1 * sum(1 / k for k in range(1, 101)))
    assert benjamini_yekutieli([]) == []


def test_a_share_is_vouched_for_by_its_number() -> None:
    assert 0.9 < at_least(1000, 1000) < 1
    assert at_least(3, 3) < 0.6
    assert at_least(0, 0) == 0
