"""A backlog's trend, by cases."""

from __future__ import annotations

import pytest

from tests.bench.backlog import trend

RATE = 1000.0


@pytest.mark.parametrize(
    ("name", "counts", "flat"),
    [
        ("nothing waits", [0] * 60, True),
        ("noise around a level", [100, 900] * 30, True),
        ("one stall that is worked off", [50] * 30 + [5000, 3000, 1000] + [50] * 27, True),
        (
            "what piles up in the warm-up and goes is not held against it",
            [8000, 6000, 4000, 2000, 500] + [50] * 55,
            True,
        ),
        ("slow growth, an eighth of what comes in", [125 * n for n in range(60)], False),
        ("growth near the end", [0] * 45 + [400 * n for n in range(15)], False),
        ("nothing was counted", [], False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_flat(name: str, counts: list[int], flat: bool) -> None:
    assert trend(counts, RATE).flat is flat, name


def test_slope_is_rows_per_second() -> None:
    assert trend([7 * n for n in range(60)], RATE).slope == pytest.approx(7)
