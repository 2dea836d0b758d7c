"""Saves what became of deliveries: all that gathered while the previous commit was under way, at once."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Final

from convex_common.errors import StoreUnavailable
from convex_common.logging import bound
from convex_notifier.settlements import Settlement

log = logging.getLogger(__name__)

PATIENCE: Final = 120.0
"""Seconds of trying to save what was sent while PostgreSQL is away: what is saved before another worker claims the
delivery is not sent twice."""

FIRST_PAUSE, LAST_PAUSE = 0.1, 1.0
MOST: Final = 256


@dataclass(frozen=True, slots=True)
class _Waiting:
    settlement: Settlement
    until: float
    alone: bool = False


class Settler:
    """One thread that saves. A single settlement waits for nobody, and what failed in company is saved alone.

    `saved` is called after each commit: places at targets are free again. Nothing is lost by its end: what was not
    saved comes back with its lease's end.
    """

    def __init__(
        self,
        save: Callable[[Sequence[Settlement]], Sequence[Settlement]],
        saved: Callable[[], None],
        *,
        most: int = MOST,
        patience: float = PATIENCE,
    ) -> None:
        self._save = save
        self._saved = saved
        self._most = most
        self._patience = patience
        self._changed = threading.Condition()
        self._waiting: list[_Waiting] = []
        self._end: float | None = None
        self._thread = threading.Thread(target=self._run, name="settler", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def settle(self, settlement: Settlement) -> None:
        """Have it saved soon. Waits itself only where too many wait already, so that no more is claimed meanwhile."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._waiting) < self._most or self._over())
            self._waiting.append(_Waiting(settlement, time.monotonic() + self._patience))
            self._changed.notify_all()

    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def stop(self, timeout: float) -> bool:
        """Save what waits, `timeout` seconds at most; whether all of it was."""
        with self._changed:
            self._end = time.monotonic() + timeout
            self._changed.notify_all()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while batch := self._gathered():
            again = self._saved_but_for(batch)
            with self._changed:
                self._waiting[:0] = again
                if len(again) < len(batch):
                    pause = FIRST_PAUSE
                    continue
                self._changed.wait_for(self._over, pause)
            pause = min(pause * 2, LAST_PAUSE)

    def _gathered(self) -> list[_Waiting]:
        """All that wait, as soon as there is one; none at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._end is not None)
            if self._waiting and self._over():
                log.warning("%d deliveries not saved in time are left to their leases' end", len(self._waiting))
                return []
            batch, self._waiting = self._waiting, []
            self._changed.notify_all()
            return batch

    def _over(self) -> bool:
        return self._end is not None and time.monotonic() > self._end

    def _saved_but_for(self, batch: Sequence[_Waiting]) -> list[_Waiting]:
        together = [one for one in batch if not one.alone]
        groups = [together] if together else []
        groups += [[one] for one in batch if one.alone]
        return [one for group in groups for one in self._written(group)]

    def _written(self, group: Sequence[_Waiting]) -> list[_Waiting]:
        """Save a group; those to try again."""
        try:
            lost = self._save([one.settlement for one in group])
        except StoreUnavailable as error:
            return self._patient(group, error)
        except Exception:
            if len(group) > 1:  # one of them is at fault: the others are not
                return [again for one in group for again in self._written([one])]
            with _of(group[0].settlement):
                log.exception("an attempt cannot be saved; its lease's end brings it back")
            return []
        for settlement in lost:
            with _of(settlement):
                log.info("left to another worker, who has its lease by now")
        self._saved()
        return []

    def _patient(self, group: Sequence[_Waiting], error: Exception) -> list[_Waiting]:
        again = []
        for one in group:
            if time.monotonic() < one.until:
                again.append(replace(one, alone=True))
                continue
            with _of(one.settlement):
                log.warning("what was sent could not be saved: %s", error)
        return again


def _of(settlement: Settlement) -> AbstractContextManager[None]:
    return bound(workspace_id=settlement.claim.workspace_id, delivery_id=settlement.claim.id)
