"""How often a series comes, how long it is known, and whether that is enough to judge it."""

from __future__ import annotations

from typing import Final

from convex_detection.packing import Packer, Unpacker

WARM_UP_ROWS: Final = 100
WARM_UP: Final = 86_400.0
"""A day at least, so that every hour was seen."""

_SURE: Final = 14 * 86_400.0
_USUAL: Final = 300.0
_GAP_STEPS: Final = 20.0
_GAP: Final = 3600.0


class Pace:
    """Times in seconds since the epoch; one before the last counts as the last."""

    __slots__ = ("began", "gap", "last", "rows", "step")

    def __init__(self) -> None:
        self.rows = 0
        self.began = 0.0
        self.last = 0.0
        self.step = _USUAL
        self.gap = False

    def at(self, at: float) -> float:
        """Take a time in; what counts as the time. `gap` says whether it comes after a gap."""
        apart = at - self.last
        self.gap = False
        if self.rows == 0:
            self.began = at
        elif apart < 0:
            at, apart = self.last, 0.0
        elif self.rows == 1:
            self.step = max(apart, 1e-3)
        elif apart > max(_GAP_STEPS * self.step, _GAP):
            self.gap = True
        else:
            self.step += max(0.01, 1.0 / self.rows) * (max(apart, 1e-3) - self.step)
        self.last = at
        self.rows += 1
        return at

    @property
    def warm(self) -> bool:
        """Whether enough was seen to say what is unusual."""
        return self.rows > WARM_UP_ROWS and self.last - self.began >= WARM_UP

    @property
    def confidence(self) -> float:
        """0 before it is warm, and 1 after two weeks."""
        return min(1.0, ((self.last - self.began) / _SURE) ** 0.5) if self.warm else 0.0

    def pack(self, to: Packer) -> None:
        """Into a detector's state."""
        to.floats(self.began, self.last, self.step)
        to.whole(self.rows)

    def unpack(self, source: Unpacker) -> None:
        """From a detector's state."""
        self.began, self.last, self.step = source.floats(3)
        (self.rows,) = source.whole(1)
