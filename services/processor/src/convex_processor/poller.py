"""The poller: each second it fires due timers and drains whatever no hint spoke of."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from convex_common.errors import StoreUnavailable
from convex_common.postgres.database import Database

log = logging.getLogger(__name__)

PORTION = 500


class Poller:
    """Two threads: draining lasts as long as there is a backlog, and timers must not wait for its end.

    With Redis down it does the work alone; with Redis up it finds next to nothing.
    """

    def __init__(self, database: Database, drain: Callable[[], None], every: float = 1.0) -> None:
        self._database = database
        self._drain = drain
        self._every = every
        self._stop = threading.Event()
        self._fired = threading.Event()
        self._threads = [
            threading.Thread(target=self._time, name="timers", daemon=True),
            threading.Thread(target=self._poll, name="poller", daemon=True),
        ]
        self._down = False

    def start(self) -> None:
        """Start polling."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop and wait for the round under way; a drain under way ends with its pool."""
        self._stop.set()
        self._fired.set()
        self._threads[0].join(timeout=10.0)

    def _time(self) -> None:
        while not self._stop.is_set():
            try:
                while self._fire_timers() and not self._stop.is_set():
                    self._fired.set()
                self._down = False
            except StoreUnavailable as error:
                if not self._down:
                    log.warning("timers wait: %s", error)
                self._down = True
            except Exception:
                log.exception("timers failed in a way that was not foreseen; they are tried again")
            self._stop.wait(self._every)

    def _poll(self) -> None:
        while not self._stop.is_set():
            self._fired.clear()
            self._drain()
            self._fired.wait(self._every)

    def _fire_timers(self) -> bool:
        """Turn due timers into events, a portion of them; whether there were any."""
        with self._database.transaction() as connection:
            row = connection.execute("SELECT cardinality(fire_timers(%s)) > 0", (PORTION,)).fetchone()
        return bool(row and row[0])
