"""What the database tells of its own condition: what waits, who holds it back, its clock, its partitions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from convex_common.postgres.database import Connection
from convex_common.postgres.partitions import TABLES, children, over

OLDEST_DUE: Final = "SELECT queue, seconds FROM oldest_due()"
CLOCK: Final = "SELECT clock_timestamp()"

# Everybody may see these columns of everybody's sessions, which is not so of when a transaction began.
HORIZON: Final = """
SELECT h.xid::text, age(h.xid) FROM (
    SELECT backend_xmin FROM pg_stat_activity WHERE datname = current_database() OR datname IS NULL
    UNION ALL SELECT backend_xid FROM pg_stat_activity WHERE datname = current_database()
    UNION ALL SELECT xmin FROM pg_replication_slots
    UNION ALL SELECT transaction FROM pg_prepared_xacts WHERE database = current_database()) h(xid)
WHERE h.xid IS NOT NULL ORDER BY age(h.xid) DESC LIMIT 1"""

OLD: Final = 1000
"""Transactions since the oldest snapshot, from which on that counts as held: on an idle system none is ever newer."""


@dataclass(frozen=True, slots=True)
class Horizon:
    """The oldest transaction that some snapshot still needs, and how many began since."""

    transaction: str
    age: int


class SnapshotWatch:
    """For how long one and the same horizon has been held: it moves on as soon as whoever holds it ends."""

    def __init__(self) -> None:
        self._held: str | None = None
        self._since = 0.0

    def seconds(self, horizon: Horizon | None, now: float) -> float:
        """Seconds that it has been seen for; 0 while it moves, or so few transactions began that it cannot."""
        if horizon is None or horizon.age < OLD:
            self._held = None
            return 0.0
        if horizon.transaction != self._held:
            self._held, self._since = horizon.transaction, now
        return now - self._since


def oldest_due(connection: Connection) -> dict[str, float]:
    """Seconds by queue that the oldest work due has waited; a queue without is absent."""
    return {str(queue): max(0.0, float(seconds)) for queue, seconds in connection.execute(OLDEST_DUE)}


def horizon(connection: Connection) -> Horizon | None:
    """What holds back the removal of dead rows the longest; None where nobody looks."""
    row = connection.execute(HORIZON).fetchone()
    return Horizon(str(row[0]), int(row[1])) if row else None


def clock(connection: Connection) -> dt.datetime:
    """The database's time."""
    row = connection.execute(CLOCK).fetchone()
    assert row is not None
    at = row[0]
    assert isinstance(at, dt.datetime)
    return at


def partition_ends(connection: Connection) -> Mapping[str, dt.datetime]:
    """Until when each partitioned table has its partitions; a table that has none is absent."""
    ends = {}
    for table in TABLES:
        slices = over(table, children(connection, table), dt.datetime.max.replace(tzinfo=dt.UTC))
        if slices:
            ends[table.name] = slices[-1].end
    return ends
