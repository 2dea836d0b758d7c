"""Where no cluster is asked: what an earlier scheduler saw of one is not told for ever."""

from __future__ import annotations

import threading

from convex_common.errors import StoreUnavailable
from convex_common.postgres import job_standings
from convex_common.postgres.database import Database


class NoCluster:
    """Forgets, once PostgreSQL is there."""

    def __init__(self, database: Database, *, every: float = 5.0) -> None:
        self._database = database
        self._every = every

    def run(self, stopping: threading.Event) -> None:
        """Until that is done."""
        while not stopping.is_set():
            try:
                with self._database.transaction() as connection:
                    job_standings.forget(connection)
            except StoreUnavailable:
                stopping.wait(self._every)
            else:
                return
