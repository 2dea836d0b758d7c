"""What the queues hold and what they have done, as the database's own counters say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.contracts import QUEUES
from convex_common.postgres.database import Connection

STATES: Final = ("active", "waiting", "delayed", "completed", "failed")

COUNTS: Final = "SELECT queue, state, sum(jobs)::bigint FROM queue_counts({}) GROUP BY 1, 2"
DONE: Final = """SELECT queue, completed, failed, errors, recently_completed, recently_failed, recent_errors
FROM queue_history({})"""
ATTEMPTS: Final = "SELECT channel, outcome, attempts FROM attempt_history({})"


@dataclass(frozen=True, slots=True)
class Done:
    """How much a queue has finished well, for good without success, and how many attempts failed: ever, and in the
    last 15 minutes."""

    completed: int = 0
    failed: int = 0
    errors: int = 0
    recently_completed: int = 0
    recently_failed: int = 0
    recent_errors: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """Of one workspace or of all. `attempts` are deliveries' tries by kind of channel and outcome, over all time."""

    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    done: Mapping[str, Done] = field(default_factory=dict)
    attempts: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def states(self, queue: str) -> dict[str, int]:
        """How much of a queue is in which state; completed of the last hour."""
        return {state: self.counts.get((queue, state), 0) for state in STATES}

    def of(self, queue: str) -> Done:
        """What a queue has done."""
        return self.done.get(queue, Done())

    def in_state(self, state: str) -> int:
        """Over all queues of messages."""
        return sum(self.counts.get((queue, state), 0) for queue in QUEUES)


async def read(connection: AsyncConnection, workspace_id: UUID | None) -> History:
    """In one transaction, of one moment each; None for all workspaces."""
    rows = [
        [tuple(row) for row in await connection.execute(text(query.format(":workspace")), {"workspace": workspace_id})]
        for query in (COUNTS, DONE, ATTEMPTS)
    ]
    return _history(*rows)


def read_now(connection: Connection, workspace_id: UUID | None) -> History:
    """The same from a thread."""
    queries = (query.format("%s") for query in (COUNTS, DONE, ATTEMPTS))
    return _history(*(connection.execute(query, (workspace_id,)).fetchall() for query in queries))


def _history(counts: Iterable[Any], done: Iterable[Any], attempts: Iterable[Any]) -> History:
    return History(
        {(queue, state): jobs for queue, state, jobs in counts},
        {queue: Done(*figures) for queue, *figures in done},
        {(channel, outcome): count for channel, outcome, count in attempts},
    )
