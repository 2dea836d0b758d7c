"""Work that is done in rounds: again and again, on a thread of its own, whatever becomes of a round."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from convex_common.errors import StoreUnavailable

log = logging.getLogger(__name__)


def rounds(
    work: Callable[[], object],
    stopping: threading.Event,
    every: float,
    *,
    waits: str,
    went: Callable[[bool], object] = lambda _: None,
) -> None:
    """Until stopping. `waits` is told once of failures in a row, as in "metrics wait"; `went`, how each round went."""
    told = False
    while not stopping.is_set():
        try:
            work()
            went(True)
            told = False
        except Exception as error:  # the thread must outlive whatever it was
            went(False)
            if not told:
                log.warning("%s: %s", waits, error, exc_info=not isinstance(error, StoreUnavailable))
            told = True
        stopping.wait(every)
