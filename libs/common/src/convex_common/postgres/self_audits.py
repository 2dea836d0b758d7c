"""The self-audit's record: who makes the run of a minute, and how the last one ended."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any, Final

from psycopg.types.json import Jsonb
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.domain.self_audit import Result, Standing
from convex_common.postgres.database import Connection

# A clock that was set back must not stop the audit for as long.
CLAIM: Final = """INSERT INTO self_audit AS a (run, began_at, next_within)
VALUES (%(run)s, clock_timestamp(), %(next_within)s)
ON CONFLICT (only_one) DO UPDATE
SET run = excluded.run, began_at = excluded.began_at, next_within = excluded.next_within
WHERE a.began_at <= clock_timestamp() - %(every)s OR a.began_at > clock_timestamp() + %(every)s
RETURNING 1"""
NEXT: Final = "SELECT began_at + %(every)s - clock_timestamp() FROM self_audit"

# Of a run that somebody else has followed meanwhile nothing is told: the later one's word counts.
SAVE: Final = """UPDATE self_audit SET ended_at = statement_timestamp(), passed = %(passed)s, stage = %(stage)s,
    reason = %(reason)s, seconds = %(seconds)s,
    last_passed_at = CASE WHEN %(passed)s THEN statement_timestamp() ELSE last_passed_at END
WHERE run = %(run)s"""

READ: Final = """SELECT ended_at, passed, stage, reason, seconds, last_passed_at, began_at, next_within,
    clock_timestamp()
FROM self_audit"""

# Where another scheduler makes runs, it is not off.
SWITCH_OFF: Final = """INSERT INTO self_audit AS a (run, began_at, next_within)
VALUES (%(run)s, clock_timestamp(), NULL)
ON CONFLICT (only_one) DO UPDATE SET next_within = NULL
WHERE a.began_at + a.next_within < clock_timestamp()"""


def claim(
    connection: Connection, run: uuid.UUID, every: dt.timedelta, *, within: dt.timedelta = dt.timedelta()
) -> dt.timedelta | None:
    """None where this run is to be made now; else after how long to ask again. A run takes at most `within`."""
    # The run may take its whole time, and whoever makes the next one may be late by as much as lies between two.
    values = {"run": run, "every": every, "next_within": 2 * every + within}
    if connection.execute(CLAIM, values).fetchone() is not None:
        return None
    return claim_in(connection, every)


def claim_in(connection: Connection, every: dt.timedelta) -> dt.timedelta:
    """After how long the next run may be claimed."""
    row = connection.execute(NEXT, {"every": every}).fetchone()
    return every if row is None else min(max(row[0], dt.timedelta()), every)


def save(connection: Connection, run: uuid.UUID, result: Result) -> None:
    """How the run ended."""
    values = {"passed": result.passed, "stage": result.failed_at, "reason": result.reason, "run": run}
    seconds = {stage.value: round(took, 4) for stage, took in result.seconds.items()}
    connection.execute(SAVE, {**values, "seconds": Jsonb(seconds)})


def switch_off(connection: Connection, run: uuid.UUID) -> None:
    """It is on record that nobody makes runs, unless somebody does."""
    connection.execute(SWITCH_OFF, {"run": run})


def read_now(connection: Connection) -> Standing | None:
    """What is on record; None where no run ever began."""
    return _standing(connection.execute(READ).fetchone())


async def read(connection: AsyncConnection) -> Standing | None:
    """The same for coroutines."""
    return _standing((await connection.execute(text(READ))).first())


def _standing(row: Sequence[Any] | None) -> Standing | None:
    return None if row is None else Standing(*row)
