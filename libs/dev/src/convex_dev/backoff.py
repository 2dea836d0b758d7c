"""How long to wait before a process that died is started again."""

from __future__ import annotations


class Backoff:
    """Doubles from `first` to `most` seconds; begins anew after a life of `stable` seconds."""

    def __init__(self, first: float = 0.2, most: float = 10.0, stable: float = 30.0) -> None:
        self._first = first
        self._most = most
        self._stable = stable
        self._next = first

    def after(self, lived: float) -> float:
        """Seconds to wait after a process that lived for `lived` seconds."""
        if lived >= self._stable:
            self._next = self._first
        delay = self._next
        self._next = min(self._most, delay * 2)
        return delay
