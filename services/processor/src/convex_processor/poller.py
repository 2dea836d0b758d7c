"""The poller: each second it fires due timers and drains whatever no hint spoke of."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from convex_common.errors import StoreUnavailable
from convex_common.postgres.database import Database

log = logging.getLogger(__name__)

MAX_TIMERS = 500


class Poller:
    """A thread. With Redis down it does the work alone; with Redis up it finds next to nothing."""

    def __init__(self, database: Database, drain: Callable[[], None], every: float = 1.0) -> None:
        self._database = database
        self._drain = drain
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="poller", daemon=True)
        self._down = False

    def start(self) -> None:
        """Start polling."""
        self._thread.start()

    def stop(self) -> None:
        """Stop and wait for the round under way."""
        self._stop.set()
        self._thread.join(timeout=10.0)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                while self._fire_timers() == MAX_TIMERS and not self._stop.is_set():
                    pass
                self._down = False
            except StoreUnavailable as error:
                if not self._down:
                    log.warning("timers wait: %s", error)
                self._down = True
            self._drain()
            self._stop.wait(self._every)

    def _fire_timers(self) -> int:
        with self._database.transaction() as connection:
            row = connection.execute("SELECT cardinality(fire_timers(%s)), 0", (MAX_TIMERS,)).fetchone()
        return int(row[0]) if row else 0
