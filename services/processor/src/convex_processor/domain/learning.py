"""What detectors have learnt of the series of a batch, as it is loaded, goes on, and is kept. Pure."""

from __future__ import annotations

import uuid
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from convex_common.domain.conditions import Sample
from convex_detection.detector import Detector, resume
from convex_detection.score import Score

TAIL: Final = 8
"""Values kept beside a packed state before it is packed anew: packing costs as much as a dozen updates."""

Learner = tuple[uuid.UUID, str]
"""The framework and the metric of a series that an anomaly rule looks at."""


@dataclass(slots=True)
class Learnt:
    """A detector that knows a series up to its last value.

    `packed` is the state before the values of `tail`; None: it was never packed. Packed and tail together give the same
    detector wherever it goes on.
    """

    detector: Detector
    packed: bytes | None = None
    tail: array[float] = field(default_factory=lambda: array("d"))
    changed: bool = False

    @classmethod
    def resumed(cls, packed: bytes, tail: bytes) -> Self | None:
        """As it was kept; None where another version kept it."""
        detector, known = resume(packed)
        if not known:
            return None
        values = array("d", tail)
        for at, value in zip(values[::2], values[1::2], strict=True):
            detector.update(value, at)
        return cls(detector, packed, values)

    @classmethod
    def of(cls, samples: Iterable[Sample]) -> Self:
        """A new one that has seen these, the oldest first."""
        detector, _ = resume(None)
        for at, value in samples:
            detector.update(value, at)
        return cls(detector)

    def update(self, value: float, at: float) -> Score:
        """The score of the series' next value, which it knows from now on."""
        self.tail.extend((at, value))
        self.changed = True
        return self.detector.update(value, at)

    @property
    def to_be_packed(self) -> bool:
        """Whether its tail is as long as it may be."""
        return self.packed is None or len(self.tail) >= 2 * TAIL

    def pack(self) -> bytes:
        """Its whole state; the tail is empty then."""
        self.packed = self.detector.pack()
        self.tail = array("d")
        return self.packed


LearntSeries = Mapping[bytes, Learnt]
"""By the series' key. A series that is not there is not judged: its history is not read yet, or there are too many."""
