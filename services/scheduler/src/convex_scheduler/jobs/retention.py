"""Retention: what is over its term goes, whole partitions at a time where that is possible."""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, LiteralString

import psycopg

from convex_common.domain.retention import Terms, first_kept
from convex_common.postgres import partitions, retention
from convex_common.postgres.database import Connection, Database, Limits, connect, unavailable
from convex_common.postgres.job_runner import Lease
from convex_common.postgres.partitions import LOCK, Partition, PartitionedTable
from convex_scheduler.jobs.sweeps import NOWHERE, TERM_OF, Sweep, bounds, sweep_default, sweeps

log = logging.getLogger(__name__)

NAME: Final = "retention"

INBOX_DAYS: Final = 7
"""An empty partition of the inbox is dropped so long after its last day; one with rows in it never is."""

EXPIRED: Final[Mapping[str, LiteralString]] = {
    "sessions": "SELECT delete_expired_sessions(%s)",
    "idempotency_keys": "SELECT delete_idempotency_keys(%s)",
}
"""What says itself when it is over, in all workspaces."""

_BATCH: Final = 1000
_TRIES: Final = 3


@dataclass
class Progress:
    """What went so far."""

    dropped: list[str] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)

    def as_detail(self) -> dict[str, Any]:
        """As it is put on record; `busy` are partitions that could not be had, and go the next time."""
        return {"dropped": [*self.dropped], "busy": [*self.busy], "rows": {**self.rows}}


class Retention:
    """A job. Each partition and each batch of rows is one transaction: killed anywhere, the next run does the rest.

    Terms are counted from the run's slot. Partitions and their defaults are the owner's; the rest is deleted
    as the service, under the policies of one workspace after the other.
    """

    def __init__(
        self, database: Database, owner_url: str, limits: Limits, terms: Terms, *, batch: int = _BATCH
    ) -> None:
        self._database = database
        self._owner_url = owner_url
        self._limits = limits
        self._terms = terms
        self._batch = batch

    def __call__(self, lease: Lease) -> Mapping[str, Any]:
        """What went, by table."""
        progress = Progress()
        with self._owner() as owner:
            for table, before in self._partitioned(lease.slot):
                for partition in partitions.over(table, partitions.children(owner, table), before):
                    self._drop(owner, partition, lease, progress)
                if table.name in TERM_OF:
                    self._sweep_default(owner, table, before, lease, progress)
        for workspace_id in self._workspaces():
            for sweep, which in self._sweeps(workspace_id, lease.slot):
                self._sweep(sweep, which, lease, progress)
        for table_name, statement in EXPIRED.items():
            self._expire(table_name, statement, lease, progress)
        if progress.busy:
            log.warning("partitions are in use and stay until the next run", extra={"partitions": progress.busy})
        return progress.as_detail()

    def preview(self, now: dt.datetime) -> Mapping[str, Any]:
        """What a run would do now; nothing is changed."""
        dropped: list[str] = []
        rows: Counter[str] = Counter()
        with self._owner() as owner:
            for table, before in self._partitioned(now):
                dropped += [each.name for each in partitions.over(table, partitions.children(owner, table), before)]
        for workspace_id in self._workspaces():
            for sweep, which in self._sweeps(workspace_id, now):
                with self._database.transaction(workspace_id) as connection:
                    rows[sweep.table] += sweep.count(connection, which)
        return {"would_drop": dropped, "would_delete": {name: count for name, count in rows.items() if count}}

    def _partitioned(self, now: dt.datetime) -> Iterator[tuple[PartitionedTable, dt.datetime]]:
        for table in partitions.TABLES:
            term = TERM_OF.get(table.name)
            days = INBOX_DAYS if term is None else getattr(self._terms, term)
            yield table, first_kept(now, days)

    @contextmanager
    def _owner(self) -> Iterator[Connection]:
        """As the owner, while no migration and nobody else makes or drops partitions."""
        owner = connect(self._owner_url, "convex-scheduler", self._limits)
        try:
            owner.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
            yield owner
        except psycopg.OperationalError as error:
            raise unavailable(error) from error
        finally:
            owner.close()

    def _drop(self, owner: Connection, partition: Partition, lease: Lease, progress: Progress) -> None:
        for _ in range(_TRIES):
            try:
                with owner.transaction():
                    if partitions.drop(owner, partition, only_empty=partition.table.name not in TERM_OF):
                        progress.dropped.append(partition.name)
                    lease.hold(owner, progress.as_detail())
            except psycopg.errors.LockNotAvailable:
                continue
            return
        progress.busy.append(partition.name)

    def _sweep_default(
        self, owner: Connection, table: PartitionedTable, before: dt.datetime, lease: Lease, progress: Progress
    ) -> None:
        more = True
        while more:
            with owner.transaction():
                gone = sweep_default(owner, table, before, self._batch)
                progress.rows[table.name] += gone
                lease.hold(owner, progress.as_detail())
            more = gone == self._batch

    def _workspaces(self) -> list[uuid.UUID]:
        with self._database.transaction() as connection:
            return [row[0] for row in connection.execute("SELECT workspace_ids()")]

    def _sweeps(self, workspace_id: uuid.UUID, now: dt.datetime) -> list[tuple[Sweep, dict[str, Any]]]:
        with self._database.transaction(workspace_id) as connection:
            own = self._terms.shortened(retention.find(connection, workspace_id))
        return [(sweep, bounds(workspace_id, now, getattr(own, sweep.term))) for sweep in sweeps(own, self._terms)]

    def _sweep(self, sweep: Sweep, which: dict[str, Any], lease: Lease, progress: Progress) -> None:
        after, more = NOWHERE, True
        while more:
            with self._database.transaction(which["workspace"]) as connection:
                swept = sweep.delete(connection, which, self._batch, after)
                progress.rows[sweep.table] += swept.gone
                lease.hold(connection, progress.as_detail())
            after, more = swept.after, swept.more

    def _expire(self, table_name: str, statement: LiteralString, lease: Lease, progress: Progress) -> None:
        more = True
        while more:
            with self._database.transaction() as connection:
                row = connection.execute(statement, (self._batch,)).fetchone()
                gone = row[0] if row else 0
                progress.rows[table_name] += gone
                lease.hold(connection, progress.as_detail())
            more = gone == self._batch
