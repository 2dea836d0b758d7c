"""What all detectors are."""

from __future__ import annotations

from typing import Final, Protocol, Self

from convex_detection.band import Band
from convex_detection.novelty import Novelty
from convex_detection.packing import NotAState
from convex_detection.score import Score


class Detector(Protocol):
    """Learns a series value by value and scores each at once, in constant memory."""

    def update(self, value: float, at: float) -> Score:
        """The score of a value at a time in seconds since the epoch; both are learnt."""

    def pack(self) -> bytes:
        """The state, at most 16 KiB."""

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """A detector that goes on from a state. NotAState."""


DETECTORS: Final[dict[str, type[Novelty] | type[Band]]] = {"novelty": Novelty, "band": Band}
"""By the names that settings and commands use; the first is the default."""


def resume(data: bytes | None, name: str = "novelty") -> tuple[Detector, bool]:
    """A detector from its state, and whether it could go on from there: a state of another version begins anew."""
    kind = DETECTORS[name]
    if data is None:
        return kind(), False
    try:
        return kind.unpack(data), True
    except NotAState:
        return kind(), False
