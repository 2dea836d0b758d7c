"""Where no self-audit is wanted, that is on record too: health must not look proved because nobody asks."""

from __future__ import annotations

import threading
from typing import Final

from convex_common.ids import Ids
from convex_common.postgres import self_audits
from convex_common.postgres.database import Database
from convex_scheduler.rounds import rounds

EVERY: Final = 60.0
"""Seconds. Again and again, for the scheduler before this one may have begun one more run."""


class SwitchedOff:
    """Puts it on record once no scheduler makes runs any more."""

    def __init__(self, database: Database, ids: Ids) -> None:
        self._database = database
        self._ids = ids

    def run(self, stopping: threading.Event) -> None:
        """Until stopping."""
        rounds(self.step, stopping, EVERY, waits="that the self-audit is off is not on record")

    def step(self) -> None:
        """Once. StoreUnavailable."""
        with self._database.transaction() as connection:
            self_audits.switch_off(connection, self._ids.new())
