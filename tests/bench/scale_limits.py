"""The ends that can be measured on one machine: a workspace's feed, a drainer with a full inbox, a socket's memory."""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg.types.numeric import Int4, Int8

from convex_common.ids import Ids
from convex_common.postgres.alert_store import LOG
from convex_common.postgres.database import connect

BATCH = 500
"""PROCESSOR_BATCH."""

_DATA = b'{"id":"01a21a12-1caa-7bed-9f72-838f3a566f53","status":"firing","title":"Checkout is slow"}' + b" " * 500


@dataclass(frozen=True)
class Writing:
    """Commits of changes, by so many writers at once."""

    writers: int
    workspaces: int
    rows: int
    commits: float
    """A second."""

    @property
    def changes(self) -> float:
        return self.commits * self.rows


def feed(database_url: str, workspace_ids: Sequence[uuid.UUID], writers: int, rows: int, seconds: float) -> Writing:
    """What the end of each of the processor's transactions allows: take offsets, write the log, commit."""
    over, counts, failed = threading.Event(), [0] * writers, list[BaseException]()

    def write(number: int) -> None:
        ids, workspace_id = Ids(), workspace_ids[number % len(workspace_ids)]
        try:
            with connect(database_url, "bench feed", repeats=True) as connection:
                while not over.is_set():
                    _commit(connection, workspace_id, ids, rows)
                    counts[number] += 1
        except psycopg.Error as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    before, began = sum(counts), time.perf_counter()
    time.sleep(seconds)
    done, took = sum(counts) - before, time.perf_counter() - began
    over.set()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return Writing(writers, len(workspace_ids), rows, done / took)


def _commit(connection: psycopg.Connection[tuple[object, ...]], workspace_id: uuid.UUID, ids: Ids, rows: int) -> None:
    made = ids.take(rows)
    with connection.pipeline():
        connection.execute("BEGIN")
        connection.execute("SELECT set_config('app.workspace_id', %s, true)", (str(workspace_id),))
        connection.execute(
            LOG,
            {
                "workspace": workspace_id,
                "wanted": Int8(rows),
                "now": dt.datetime.now(dt.UTC),
                "id": made,
                "alert_id": made,
                "framework_id": made,
                "event": ["triggered"] * rows,
                "reason": ["duplicate"] * rows,
                "count": [Int4(1)] * rows,
                "actor": [None] * rows,
                "event_ids": ["{" + str(one) + "}" for one in made],
                "detail": [b"{}"] * rows,
                "data": [_DATA] * rows,
                "traceparent": [None] * rows,
            },
            binary=True,
        )
        connection.execute("COMMIT")
