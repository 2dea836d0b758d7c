"""The predictions of every workspace, and the scores of those whose time is over."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from convex_analytics import alert_past, prediction_rows
from convex_analytics.domain.foresight.foresight import foretell
from convex_analytics.workspaces import each
from convex_common.postgres.database import Database
from convex_common.postgres.job_runner import Lease

NAME: Final = "predictions"

AT_ONCE: Final = 20
"""Frameworks of one transaction: some seconds of work."""


class Writer(Protocol):
    """Puts better words in the place of the statistics' own, where it can; it raises for nothing but the lease."""

    def write(self, workspace_id: uuid.UUID, made_at: dt.datetime, lease: Lease) -> Mapping[str, int]:
        """How many reports came to what."""


@dataclass(slots=True)
class _Done:
    scored: int = 0
    frameworks: int = 0
    predictions: int = 0


class Predictions:
    """A job. Foretells from what was before its slot, and nothing later; once per slot, however often it is run."""

    def __init__(self, database: Database, writer: Writer | None = None) -> None:
        self._database = database
        self._writer = writer

    def __call__(self, lease: Lease) -> Mapping[str, Any]:
        """How much was scored and foretold. A workspace that fails holds up no other, but the run is tried again."""
        done, written = _Done(), dict[str, int]()

        def foretell_one(workspace_id: uuid.UUID, _: Mapping[str, int]) -> None:
            self._foretell(workspace_id, lease, done)
            if self._writer is not None:
                for outcome, count in self._writer.write(workspace_id, lease.slot, lease).items():
                    written[outcome] = written.get(outcome, 0) + count

        workspaces = each(self._database, "a workspace's predictions could not be made", foretell_one)
        figures = {"scored": done.scored, "frameworks": done.frameworks, "predictions": done.predictions}
        return {"workspaces": workspaces, **figures, **({"written": written} if self._writer else {})}

    def _foretell(self, workspace_id: uuid.UUID, lease: Lease, done: _Done) -> None:
        with self._database.transaction(workspace_id) as connection:
            scored = prediction_rows.settle(connection, workspace_id, lease.slot)
            known = alert_past.frameworks(connection, workspace_id, lease.slot)
            lease.hold(connection)
        done.scored += scored
        for first in range(0, len(known), AT_ONCE):
            done.predictions += self._some(workspace_id, known[first : first + AT_ONCE], lease)
            done.frameworks += len(known[first : first + AT_ONCE])

    def _some(self, workspace_id: uuid.UUID, known: Sequence[tuple[uuid.UUID, int]], lease: Lease) -> int:
        with self._database.transaction(workspace_id) as connection:
            histories = alert_past.load(connection, workspace_id, known, lease.slot)
            reports = {framework: foretell(history) for framework, history in histories.items()}
            made = prediction_rows.save(connection, workspace_id, lease.slot, reports)
            lease.hold(connection)
        return made
