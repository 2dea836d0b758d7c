"""Where a time lies in a workspace's alert log: its changes are numbered without gaps, in the order of their time."""

from __future__ import annotations

import datetime as dt
import uuid
from bisect import bisect_left
from typing import Any, Final

from convex_analytics.moments import SLACK, bounds
from convex_common.postgres.database import Connection

FEW: Final = 2_000
"""So many rows are read as quickly as they are narrowed down."""

ENDS: Final = """SELECT min(l."offset"), max(l."offset") FROM alert_log l WHERE l.workspace_id = %(workspace)s"""
AT: Final = """SELECT l.at FROM alert_log l WHERE l.workspace_id = %(workspace)s AND l."offset" >= %(offset)s
ORDER BY l."offset" LIMIT 1"""

WITHIN: Final = """l.workspace_id = %(workspace)s AND l."offset" >= %(first)s AND l."offset" < %(last)s
    AND l.id >= %(from_id)s AND l.id < %(to_id)s AND l.at >= %(start)s AND l.at < %(end)s"""
"""Rows `l` of the log in a time, by the parameters of `within`: numbers find them, ids leave out partitions, `at`
decides."""


def within(connection: Connection, workspace_id: uuid.UUID, start: dt.datetime, end: dt.datetime) -> dict[str, Any]:
    """The parameters of a statement about the log from `start` until `end`.

    The numbers are looked for by halving: no index is needed that every alert would pay for, and what other workspaces
    and other days hold is not read. Numbers may be out of their time by the slack of ids.
    """

    def at(offset: int) -> dt.datetime:
        row = connection.execute(AT, {"workspace": workspace_id, "offset": offset}).fetchone()
        return row[0] if row else dt.datetime.max.replace(tzinfo=dt.UTC)

    row = connection.execute(ENDS, {"workspace": workspace_id}).fetchone()
    oldest, newest = row if row and row[0] is not None else (0, -1)
    offsets = range(oldest, newest + 1)
    first, last = 0, len(offsets)
    if len(offsets) > FEW:
        first = bisect_left(offsets, start - SLACK, key=at)
        last = bisect_left(offsets, end + SLACK, lo=first, key=at)
    return {"workspace": workspace_id, "first": oldest + first, "last": oldest + last, **bounds(start, end)}
