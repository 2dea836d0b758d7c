"""The line that tells how far a range of slots is."""

from __future__ import annotations

import io

import pytest

from convex_scheduler.progress import Progress, line


@pytest.mark.parametrize(
    ("done", "steps", "took", "told"),
    [
        pytest.param(1, 3, 10.0, "[##########....................] 1 of 3, about 20 s left", id="seconds"),
        pytest.param(2, 90, 10.0, "[..............................] 2 of 90, about 7 min 20 s left", id="minutes"),
        pytest.param(3, 3, 10.0, "[##############################] 3 of 3, about 0 s left", id="all of it"),
    ],
)
def test_the_line(done: int, steps: int, took: float, told: str) -> None:
    assert line(done, steps, took) == told


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("out", "steps", "shown"),
    [
        pytest.param(Terminal(), 3, True, id="a range, on a terminal"),
        pytest.param(Terminal(), 1, False, id="one slot"),
        pytest.param(io.StringIO(), 3, False, id="a file"),
    ],
)
def test_it_is_for_people_alone(out: io.StringIO, steps: int, shown: bool) -> None:
    progress = Progress(out, steps, iter([0.0, 10.0]).__next__)
    progress.step()
    progress.clear()
    assert (f"1 of {steps}" in out.getvalue()) == shown
    assert bool(out.getvalue()) == shown
