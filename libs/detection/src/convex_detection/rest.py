"""One event, one alert: after a score only a higher one counts, for a while."""

from __future__ import annotations

from collections import deque
from typing import Final

from convex_detection.packing import Packer, Unpacker

_SHARE: Final = 0.05
_SHORTEST: Final = 4 * 3600.0
_LONGEST: Final = 48 * 3600.0
_KEEP: Final = 48


class Rest:
    """Remembers the falling maxima of the scores within the rest: a twentieth of what was seen, 4 h to two days.

    At most 48 are kept; beyond that the oldest two become one, which lasts a little longer than it should.
    """

    __slots__ = ("peaks", "since")

    def __init__(self) -> None:
        self.peaks: deque[tuple[float, float]] = deque()
        self.since = 0.0

    def counts(self, score: float, at: float) -> bool:
        """Whether a score is higher than all of the last hours; it is then the one to beat. `at` in seconds."""
        if not self.since:
            self.since = at
        rest = min(_LONGEST, max(_SHORTEST, _SHARE * (at - self.since)))
        peaks = self.peaks
        while peaks and at - peaks[0][0] >= rest:
            peaks.popleft()
        higher = not peaks or score > peaks[0][1]
        while peaks and peaks[-1][1] <= score:
            peaks.pop()
        peaks.append((at, score))
        if len(peaks) > _KEEP:
            _, most = peaks.popleft()
            peaks[0] = (peaks[0][0], most)
        return higher

    def pack(self, to: Packer) -> None:
        """Into a detector's state."""
        to.floats(self.since)
        to.numbers([at for at, _ in self.peaks], "d")
        to.numbers([score for _, score in self.peaks], "d")

    def unpack(self, source: Unpacker) -> None:
        """From a detector's state."""
        (self.since,) = source.floats(1)
        self.peaks = deque(zip(source.numbers("d"), source.numbers("d"), strict=True))
