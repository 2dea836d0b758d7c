"""How far a range of slots is, for a person at a terminal: one line that is written over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TextIO

WIDTH: Final = 30


class Progress:
    """On a terminal alone, and of more than one step: what reads a file or a pipe sees nothing of it."""

    def __init__(self, out: TextIO, steps: int, clock: Callable[[], float]) -> None:
        self._out = out
        self._steps = steps
        self._clock = clock
        self._began = clock()
        self._done = 0
        self._shown = steps > 1 and out.isatty()

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        if self._shown:
            self._out.write("\r" + line(self._done, self._steps, self._clock() - self._began))
            self._out.flush()

    def clear(self) -> None:
        """The line is for something else."""
        if self._shown:
            self._out.write("\r\x1b[K")
            self._out.flush()


def line(done: int, steps: int, took: float) -> str:
    """A bar, how many of how many, and how long it will go on at this pace."""
    bar = "#" * (WIDTH * done // steps)
    left = round(took / done * (steps - done))
    after = f"{left // 60} min {left % 60} s" if left >= 60 else f"{left} s"
    return f"[{bar:.<{WIDTH}}] {done} of {steps}, about {after} left"
