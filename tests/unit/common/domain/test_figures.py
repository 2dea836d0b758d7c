"""Rates and health: full points at the target, graded below, and what is not known left out."""

from __future__ import annotations

from typing import Any

import pytest

from convex_common.domain.figures import Figures, health, total


def of(**counts: Any) -> Figures:
    return Figures(**counts)


@pytest.mark.parametrize(
    ("figures", "score", "parts"),
    [
        pytest.param(of(), None, (None, None, None, None), id="nothing happened"),
        pytest.param(
            of(
                followed=100,
                answered=81,
                ended=86,
                judged=50,
                false_alarms=4,
                told_again=29,
                withheld={"duplicate": 71},
            ),
            100.0,
            (25.0, 25.0, 25.0, 25.0),
            id="every target met",
        ),
        pytest.param(of(followed=100, answered=40, ended=85), 75.0, (12.5, 25.0, None, None), id="half acknowledged"),
        pytest.param(of(judged=10, false_alarms=3), 50.0, (None, None, 12.5, None), id="three in ten are false"),
        pytest.param(of(judged=10, false_alarms=9), 0.0, (None, None, 0.0, None), id="nearly all are false"),
        pytest.param(
            of(told_again=65, withheld={"duplicate": 30, "silenced": 5}),
            50.0,
            (None, None, None, 12.5),
            id="few folded",
        ),
        pytest.param(of(followed=10), 0.0, (0.0, 0.0, None, None), id="nobody does anything"),
    ],
)
def test_health(figures: Figures, score: float | None, parts: tuple[float | None, ...]) -> None:
    found = health(figures)
    assert (found.score, tuple(found.parts.values())) == (score, parts)


def test_figures_add_up() -> None:
    one = of(alerts=2, by_severity={"critical": 2}, withheld={"duplicate": 3})
    two = of(alerts=3, by_severity={"critical": 1, "info": 2})
    whole = total((one, two))
    assert (whole.alerts, whole.by_severity, whole.withheld) == (5, {"critical": 3, "info": 2}, {"duplicate": 3})
