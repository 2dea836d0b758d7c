"""One slice of a claim: load, decide, save, send. One transaction, two or three round trips."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int2, Int8

from convex_common.domain.change import Entry
from convex_common.feed import LiveEvent
from convex_common.ids import Ids
from convex_common.postgres import alert_store
from convex_common.postgres.configuration import Configuration
from convex_common.postgres.database import Connection
from convex_processor import claims, decide, learning_store, past_store, series_store, silence_store
from convex_processor.claims import ClaimedEvent
from convex_processor.configurations import Configurations

BEGIN = "SELECT set_config('app.workspace_id', %s, true), clock_timestamp()"
FINISH = """WITH d AS (DELETE FROM inbox WHERE shard = ANY(%(shards)b::smallint[]) AND id = ANY(%(ids)b::uuid[])
    RETURNING 1) SELECT expect(count(*), %(wanted)s, 'CX001') FROM d"""
COUNT = """INSERT INTO queue_counters AS c (workspace_id, queue, minute, slot, completed)
VALUES (%(workspace)s, 'alert', date_trunc('minute', clock_timestamp()), %(slot)s, %(done)s)
ON CONFLICT (workspace_id, queue, minute, slot) DO UPDATE SET completed = c.completed + excluded.completed"""
SLOTS = 64


@dataclass(frozen=True, slots=True)
class Release:
    """The lease to give back in the same transaction."""

    token: int
    shards: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to send after the commit, what was logged, and each event's framework, empty where it is of none."""

    live_events: tuple[LiveEvent, ...]
    delivery_ids: tuple[uuid.UUID, ...]
    frameworks: tuple[str, ...]
    entries: tuple[Entry, ...]


class EventHandler:
    """Processes events of one workspace on one connection. Not thread-safe: one per drainer."""

    def __init__(self, connection: Connection, configurations: Configurations, ids: Ids) -> None:
        self._connection = connection
        self._configurations = configurations
        self._ids = ids
        self._slot = Int2(random.randrange(SLOTS))  # noqa: S311 - spreads writers over counters

    def process(
        self, workspace_id: uuid.UUID, events: Sequence[ClaimedEvent], config_version: int, release: Release | None
    ) -> Outcome:
        """Process all of them and delete them from the inbox, or change nothing and raise.

        EventFailed names a bad event; psycopg's errors come as they are (CX001: the lease is lost, CX002: others were
        quicker).
        """
        batch = decide.decoded(events)
        connection = self._connection
        try:
            with connection.pipeline():
                written = self._transaction(workspace_id, batch, config_version, release)
        except BaseException:
            self._roll_back()
            raise
        live_events, frameworks = tuple(written.live_events()), decide.frameworks(batch)
        return Outcome(live_events, written.delivery_ids, frameworks, written.entries)

    def _transaction(
        self,
        workspace_id: uuid.UUID,
        batch: Sequence[decide.Decoded],
        config_version: int,
        release: Release | None,
    ) -> alert_store.Written:
        connection = self._connection
        connection.execute("BEGIN")
        began = connection.execute(BEGIN, (str(workspace_id),), binary=True)
        keys = decide.series_keys(workspace_id, batch)
        known = series_store.lock(connection, workspace_id, keys) if keys else {}
        configuration = self._configuration(workspace_id, config_version)
        # The triggers' alerts are asked for before the clock's answer is read: one round trip where no series is due.
        asked = decide.fingerprints(batch, decide.NO_SERIES)
        latest = alert_store.lock_latest(connection, workspace_id, asked) if asked and not keys else {}
        now = cast("dt.datetime", began.fetchone()[1])  # type: ignore[index]  # a SELECT without FROM has a row
        wanted = decide.learners(workspace_id, batch, configuration) if keys else {}
        learnt = learning_store.load(connection, workspace_id, wanted, known) if wanted else {}
        ahead = decide.looks_ahead(batch, configuration) if keys else {}
        pasts = past_store.load(connection, workspace_id, ahead, known) if ahead else {}
        series = decide.evaluate_series(workspace_id, batch, configuration, known, now, learnt, pasts)
        if keys:
            needed = decide.fingerprints(batch, series)
            latest = alert_store.lock_latest(connection, workspace_id, needed) if needed else {}
        known_open = silence_store.open_alerts(connection, workspace_id) if decide.looks_at_silences(batch) else ()
        changes = decide.decide(workspace_id, batch, configuration, series, latest, self._ids.new, now, known_open)
        series_store.store(connection, workspace_id, decide.observations(batch))
        series_store.save(connection, workspace_id, series.touched)
        learning_store.save(connection, workspace_id, learnt, series.touched)
        self._finish(workspace_id, [item.event for item in batch], release)
        written = alert_store.save(connection, workspace_id, changes, self._ids, now)
        connection.execute("COMMIT")
        return written

    def _configuration(self, workspace_id: uuid.UUID, version: int) -> Configuration:
        return self._configurations.of(workspace_id, version, self._connection)

    def _finish(self, workspace_id: uuid.UUID, events: Sequence[ClaimedEvent], release: Release | None) -> None:
        self._connection.execute(
            FINISH,
            {
                "shards": [Int2(shard) for shard in sorted({event.shard for event in events})],
                "ids": [event.id for event in events],
                "wanted": Int8(len(events)),
            },
            binary=True,
        )
        self._connection.execute(
            COUNT, {"workspace": workspace_id, "slot": self._slot, "done": Int8(len(events))}, binary=True
        )
        if release is not None:
            claims.release(self._connection, release.token, release.shards)

    def _roll_back(self) -> None:
        if self._connection.closed or self._connection.info.transaction_status is TransactionStatus.IDLE:
            return
        try:
            self._connection.execute("ROLLBACK")
        except psycopg.Error:
            self._connection.close()
