"""What of a workspace is over its term, table by table, in the order in which it must go."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from psycopg import sql

from convex_common.domain.retention import Terms, first_kept
from convex_common.ids import floor_at
from convex_common.postgres.database import Connection
from convex_common.postgres.partitions import TABLES as PARTITIONED
from convex_common.postgres.partitions import PartitionedTable

NOWHERE: Final = uuid.UUID(int=0)


@dataclass(frozen=True, slots=True)
class Swept:
    """What one batch did: rows that are gone, where the next one goes on, and whether there is one."""

    gone: int
    after: uuid.UUID
    more: bool


@dataclass(frozen=True, slots=True)
class PlainSweep:
    """Rows of a plain table, by their ids, which are in the order of time; `over` decides of each."""

    table: LiteralString
    term: str
    over: LiteralString

    def delete(self, connection: Connection, bounds: dict[str, Any], batch: int, after: uuid.UUID) -> Swept:
        """One batch. A row that somebody works with at the moment stays for the next time: nobody waits."""
        row = connection.execute(
            sql.SQL(
                """WITH looked AS (
                    SELECT t.id FROM {table} t WHERE t.workspace_id = %(workspace)s AND t.id > %(after)s
                      AND t.id < %(before_id)s ORDER BY t.id LIMIT %(batch)s),
                due AS (
                    SELECT t.id FROM {table} t JOIN looked USING (id)
                    WHERE t.workspace_id = %(workspace)s AND ({over}) FOR UPDATE OF t SKIP LOCKED),
                gone AS (
                    DELETE FROM {table} t USING due WHERE t.workspace_id = %(workspace)s AND t.id = due.id RETURNING 1)
                SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM looked),
                       (SELECT id FROM looked ORDER BY id DESC LIMIT 1)"""
            ).format(table=sql.Identifier(self.table), over=sql.SQL(self.over)),
            {**bounds, "after": after, "batch": batch},
        ).fetchone()
        gone, looked, last = row or (0, 0, None)
        return Swept(gone, last or after, looked == batch)

    def count(self, connection: Connection, bounds: dict[str, Any]) -> int:
        """How many rows would go now."""
        row = connection.execute(
            sql.SQL(
                "SELECT count(*) FROM {table} t "
                "WHERE t.workspace_id = %(workspace)s AND t.id < %(before_id)s AND ({over})"
            ).format(table=sql.Identifier(self.table), over=sql.SQL(self.over)),
            bounds,
        ).fetchone()
        return row[0] if row else 0


@dataclass(frozen=True, slots=True)
class TimedSweep:
    """Rows by their time alone; of a partitioned table only where the workspace keeps less than the installation."""

    table: LiteralString
    term: str
    by: LiteralString
    bound: LiteralString

    def delete(self, connection: Connection, bounds: dict[str, Any], batch: int, after: uuid.UUID) -> Swept:
        """One batch; it goes on at the front, where the last one made room.

        A place is one of each slice: by the list of places the rows are fetched, and not looked for.
        """
        gone = connection.execute(
            sql.SQL(
                """WITH due AS (
                    SELECT t.tableoid AS slice, t.ctid AS place FROM {table} t
                    WHERE t.workspace_id = %(workspace)s AND t.{by} < {bound} LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
                DELETE FROM {table} t
                WHERE t.ctid = ANY (ARRAY(SELECT place FROM due))
                  AND (t.tableoid, t.ctid) IN (SELECT slice, place FROM due)
                  AND t.workspace_id = %(workspace)s AND t.{by} < {bound}"""
            ).format(table=sql.Identifier(self.table), by=sql.Identifier(self.by), bound=sql.SQL(self.bound)),
            {**bounds, "batch": batch},
        ).rowcount
        return Swept(gone, after, gone == batch)

    def count(self, connection: Connection, bounds: dict[str, Any]) -> int:
        """How many rows would go now."""
        row = connection.execute(
            sql.SQL("SELECT count(*) FROM {table} t WHERE t.workspace_id = %(workspace)s AND t.{by} < {bound}").format(
                table=sql.Identifier(self.table), by=sql.Identifier(self.by), bound=sql.SQL(self.bound)
            ),
            bounds,
        ).fetchone()
        return row[0] if row else 0


Sweep = PlainSweep | TimedSweep

# Deliveries go before the notifications that they refer to. What is undelivered or in quarantine stays, with its
# notification and its alert; so do the notifications of open alerts, whose causes must not be told twice.
PLAIN: Final[tuple[Sweep, ...]] = (
    PlainSweep("user_notifications", "log", "t.created_at < %(before)s"),
    PlainSweep("deliveries", "log", "t.status IN ('delivered', 'failed') AND t.finished_at < %(before)s"),
    PlainSweep(
        "notifications",
        "log",
        "t.created_at < %(before)s "
        "AND NOT EXISTS (SELECT FROM deliveries d WHERE d.workspace_id = t.workspace_id AND d.notification_id = t.id) "
        "AND NOT EXISTS (SELECT FROM alerts a WHERE a.workspace_id = t.workspace_id AND a.id = t.alert_id "
        "AND a.status <> 'resolved')",
    ),
    PlainSweep(
        "alerts",
        "alerts",
        "t.status = 'resolved' AND t.resolved_at < %(before)s "
        "AND (t.last_notified_at IS NULL "
        "OR t.last_notified_at + make_interval(secs => t.suppression_seconds) < clock_timestamp()) "
        "AND NOT EXISTS (SELECT FROM deliveries d WHERE d.workspace_id = t.workspace_id AND d.alert_id = t.id)",
    ),
    TimedSweep("patterns", "statistics", "last_found_at", "%(before)s"),
    TimedSweep("detector_states", "observations", "learnt_at", "%(before)s"),
    TimedSweep("alert_statistics", "statistics", "day", "(%(before)s AT TIME ZONE 'UTC')::date"),
    TimedSweep("predictions", "log", "due_at", "%(before)s"),
    TimedSweep("prediction_reports", "log", "made_at", "%(before)s"),
    TimedSweep("model_calls", "statistics", "at", "%(before)s"),
    TimedSweep("alert_quarters", "statistics", "at", "%(before)s"),
)

TERM_OF: Final = {"observations": "observations", "alert_log": "log", "attempts": "log"}
"""Which term a partitioned table has. The inbox has none: its rows go when they are finished."""

SHORTER: Final[tuple[TimedSweep, ...]] = tuple(
    TimedSweep(table.name, TERM_OF[table.name], table.by, "%(before_id)s" if table.by == "id" else "%(before)s")
    for table in PARTITIONED
    if table.name in TERM_OF
)


def sweeps(own: Terms, installation: Terms) -> list[Sweep]:
    """What is to be swept of a workspace: plain tables always, partitioned ones where its term is the shorter one."""
    shorter = [sweep for sweep in SHORTER if getattr(own, sweep.term) < getattr(installation, sweep.term)]
    return [*shorter, *PLAIN]


def bounds(workspace_id: uuid.UUID, now: dt.datetime, days: int) -> dict[str, Any]:
    """The parameters of a sweep."""
    before = first_kept(now, days)
    return {"workspace": workspace_id, "before": before, "before_id": floor_at(before)}


def sweep_default(connection: Connection, table: PartitionedTable, before: dt.datetime, batch: int) -> int:
    """One batch of what lies in a table's default partition, of every workspace; by the owner, whom it belongs to."""
    bound = floor_at(before) if table.by == "id" else before
    return connection.execute(
        sql.SQL(
            "DELETE FROM {default} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {default} WHERE {by} < %(before)s "
            "LIMIT %(batch)s FOR UPDATE SKIP LOCKED))"
        ).format(default=sql.Identifier(f"{table.name}_default"), by=sql.Identifier(table.by)),
        {"before": bound, "batch": batch},
    ).rowcount
