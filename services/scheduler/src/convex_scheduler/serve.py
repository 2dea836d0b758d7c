"""`convex-scheduler serve`: asks for what is due where no CronJobs do, and does what the scheduler does itself."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable

from convex_common.postgres.job_runner import JobRunner
from convex_common.timetable import Timetable, rfc3339
from convex_scheduler.asking import Asker, Suspended
from convex_scheduler.rounds import rounds

log = logging.getLogger(__name__)

Clock = Callable[[], dt.datetime]


class Loop:
    """Each second: asks for the slots that have come, and does the local ones. Missed slots are caught up once.

    Where it does not ask, it still does what others asked for: CronJobs, and people who want a run now.
    """

    def __init__(
        self,
        timetable: Timetable,
        asker: Asker,
        runner: JobRunner,
        clock: Clock,
        *,
        asks: bool = True,
        every: float = 1.0,
    ) -> None:
        self._timetable = timetable if asks else Timetable(())
        self._asker = asker
        self._runner = runner
        self._clock = clock
        self._every = every
        self._asked: dict[str, dt.datetime] = {}
        self._healthy = threading.Event()

    def healthy(self) -> bool:
        """Whether the last round went through."""
        return self._healthy.is_set()

    def run(self, stopping: threading.Event) -> None:
        """Until stopping."""
        rounds(self.step, stopping, self._every, waits="the timetable waits", went=self._went)

    def _went(self, through: bool) -> None:
        (self._healthy.set if through else self._healthy.clear)()

    def step(self) -> None:
        """One round. A slot is asked for once, and never after a later one, even if the clock steps back.

        A suspended job's slots are left alone; once it is resumed, the latest of them is asked for.
        """
        for due in self._timetable.due(self._clock()):
            asked = self._asked.get(due.job.name)
            if asked is not None and asked >= due.slot:
                continue
            try:
                if self._asker.ask(due.job, due.slot, unless_later=True, unless_suspended=True):
                    log.info("job due", extra={"job": due.job.name, "slot": rfc3339(due.slot)})
            except Suspended:
                continue
            self._asked[due.job.name] = due.slot
        self._runner.drain()
