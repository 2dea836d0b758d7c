"""What an installation has used so far: CPU by stage, and what its stores did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psutil
import psycopg
import redis

from tests.bench.product import cpu_seconds

Reading = Mapping[str, float]
"""Totals since whenever, by the names below; what a run used is the difference of two."""

CPU = ("gateway", "processor", "notifier", "postgres", "broker", "cache")
"""The stages of an alert's way, in its order. Analytics and the scheduler have no part in it."""

STORES = (
    "broker commands",
    "broker bytes",
    "cache commands",
    "cache bytes in",
    "cache bytes out",
    "transactions",
    "rows",
    "WAL bytes",
    "disk writes",
    "disk syncs",
    "disk bytes",
    "frames",
)

_POSTGRES = """SELECT d.xact_commit + d.xact_rollback, d.tup_inserted + d.tup_updated + d.tup_deleted,
    pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8, w.writes, w.fsyncs,
    pg_database_size(d.datname)::float8, (SELECT sum(next_offset) FROM workspace_feed)::float8
FROM pg_stat_database d,
    (SELECT sum(writes)::float8 AS writes, sum(fsyncs)::float8 AS fsyncs FROM pg_stat_io
     WHERE backend_type NOT IN ('checkpointer', 'background writer')) w
WHERE d.datname = current_database()"""


class Meters:
    """Reads an installation's stages, each one or more processes and their children."""

    def __init__(self, stages: Mapping[str, Sequence[int]], owner_url: str, broker_url: str, cache_url: str) -> None:
        self._stages = {stage: [psutil.Process(pid) for pid in pids] for stage, pids in stages.items()}
        self._owner: psycopg.Connection[Any] = psycopg.connect(owner_url, autocommit=True)
        self._broker: Any = redis.Redis.from_url(broker_url)
        self._cache: Any = redis.Redis.from_url(cache_url)

    def read(self) -> Reading:
        """The totals now. PostgreSQL's processes tell theirs with up to a second's delay."""
        found = {stage: sum(map(cpu_seconds, processes)) for stage, processes in self._stages.items()}
        broker, cache = self._broker.info(), self._cache.info()
        self._owner.execute("SELECT pg_stat_clear_snapshot()")
        row = self._owner.execute(_POSTGRES.encode()).fetchone()
        assert row is not None
        figures = (
            broker["total_commands_processed"],
            broker["total_net_input_bytes"] + broker["total_net_output_bytes"],
            cache["total_commands_processed"],
            cache["total_net_input_bytes"],
            cache["total_net_output_bytes"],
            *row,
        )
        return {**found, **dict(zip(STORES, map(float, figures), strict=True))}

    def waiting(self) -> int:
        """Events and deliveries that are not finished."""
        row = self._owner.execute(
            "SELECT (SELECT count(*) FROM inbox) + (SELECT count(*) FROM deliveries WHERE status = 'pending')"
        ).fetchone()
        assert row is not None
        return int(row[0])

    def connections(self) -> dict[str, int]:
        """PostgreSQL's sessions by the name that a service gives itself."""
        rows = self._owner.execute(
            "SELECT application_name, count(*) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND application_name <> '' GROUP BY 1 ORDER BY 1"
        )
        return {str(name): int(count) for name, count in rows}

    def count(self, table: str) -> int:
        """Rows of a table."""
        row = self._owner.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
        assert row is not None
        return int(row[0])

    def pids(self, stage: str) -> list[int]:
        """The stage's processes."""
        return [process.pid for process in self._stages[stage]]

    def memory(self, stage: str) -> list[int]:
        """Bytes that each process of a stage has for itself."""
        return [process.memory_full_info().uss for process in self._stages[stage]]

    def close(self) -> None:
        """Hang up."""
        self._owner.close()
        self._broker.close()
        self._cache.close()


def used(before: Reading, after: Reading) -> dict[str, float]:
    """What lies between two readings."""
    return {name: after[name] - before[name] for name in after}
