"""Loads and keeps what detectors have learnt, with the batch's transaction; what is missing is learnt from history."""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from collections.abc import Mapping, Sequence
from typing import Final

from convex_common.domain.conditions import Sample
from convex_common.postgres.database import Connection
from convex_processor.domain.learning import Learner, Learnt, LearntSeries
from convex_processor.domain.series import Series

log = logging.getLogger(__name__)

MOST_SERIES: Final = 1000
"""Series of a framework's metric that are learnt; those beyond are not judged."""

HISTORY: Final = 3000
"""Values of a series that are learnt at once, the newest."""

HISTORIES: Final = 4
"""Series whose history is learnt in one transaction; the others are not judged until a next one."""

LOAD: Final = """SELECT series, state, tail, learnt_at FROM detector_states
WHERE workspace_id = %(workspace)s AND series = ANY(%(series)b::bytea[])"""
COUNT: Final = """SELECT count(*) FROM (SELECT FROM detector_states
    WHERE workspace_id = %(workspace)s AND framework_id = %(framework)s AND metric = %(metric)s LIMIT %(most)s) s"""
PAST: Final = """SELECT at, value FROM observations
WHERE workspace_id = %(workspace)s AND series = %(series)s AND at <= %(until)s
ORDER BY at DESC LIMIT %(most)s"""
KEEP: Final = """INSERT INTO detector_states (workspace_id, series, framework_id, metric, state, tail, learnt_at)
SELECT %(workspace)s, u.* FROM unnest(%(series)b::bytea[], %(framework)b::uuid[], %(metric)b::text[],
    %(state)b::bytea[], %(tail)b::bytea[], %(learnt_at)b::timestamptz[]) u
ON CONFLICT (workspace_id, series) DO UPDATE
SET state = excluded.state, tail = excluded.tail, learnt_at = excluded.learnt_at"""
GO_ON: Final = """UPDATE detector_states d SET tail = u.tail, learnt_at = u.learnt_at
FROM unnest(%(series)b::bytea[], %(tail)b::bytea[], %(learnt_at)b::timestamptz[]) u(series, tail, learnt_at)
WHERE d.workspace_id = %(workspace)s AND d.series = u.series"""


def load(
    connection: Connection, workspace_id: uuid.UUID, wanted: Mapping[bytes, Learner], known: Mapping[bytes, Series]
) -> dict[bytes, Learnt]:
    """What is known of these series, whose rows in `known` are locked; new for those that were never seen.

    A state that missed values, or that another version kept, is learnt anew from the observations.
    """
    rows = connection.execute(LOAD, {"workspace": workspace_id, "series": sorted(wanted)}, binary=True).fetchall()
    found: dict[bytes, Learnt] = {}
    missing = dict(wanted)
    kept = {bytes(row[0]) for row in rows}
    for series, state, tail, learnt_at in rows:
        key = bytes(series)
        if _is_up_to_date(known.get(key), learnt_at) and (learnt := Learnt.resumed(bytes(state), bytes(tail))):
            found[key] = learnt
            del missing[key]
    histories = 0
    for key in _within_limit(connection, workspace_id, missing, kept):
        last_at = known[key].last_at if key in known else None
        if last_at is None:
            found[key] = Learnt.of(())
        elif histories < HISTORIES:
            histories += 1
            found[key] = Learnt.of(_past(connection, workspace_id, key, last_at))
    return found


def save(connection: Connection, workspace_id: uuid.UUID, learnt: LearntSeries, touched: Sequence[Series]) -> None:
    """Keep those that have learnt something: the values alone, or all of it where it is time to pack."""
    changed = sorted((one for one in touched if _has_changed(learnt.get(one.key))), key=lambda one: one.key)
    whole = [one for one in changed if learnt[one.key].to_be_packed]
    tails = [one for one in changed if not learnt[one.key].to_be_packed]
    if whole:
        connection.execute(
            KEEP,
            {
                "workspace": workspace_id,
                "series": [one.key for one in whole],
                "framework": [one.framework_id for one in whole],
                "metric": [one.metric for one in whole],
                "state": [learnt[one.key].pack() for one in whole],
                "tail": [b""] * len(whole),
                "learnt_at": [one.last_at for one in whole],
            },
            binary=True,
        )
    if tails:
        connection.execute(
            GO_ON,
            {
                "workspace": workspace_id,
                "series": [one.key for one in tails],
                "tail": [learnt[one.key].tail.tobytes() for one in tails],
                "learnt_at": [one.last_at for one in tails],
            },
            binary=True,
        )


def _is_up_to_date(series: Series | None, learnt_at: dt.datetime) -> bool:
    return series is not None and series.last_at is not None and learnt_at >= series.last_at


def _has_changed(learnt: Learnt | None) -> bool:
    return learnt is not None and learnt.changed


def _past(connection: Connection, workspace_id: uuid.UUID, key: bytes, until: dt.datetime) -> list[Sample]:
    rows = connection.execute(
        PAST, {"workspace": workspace_id, "series": key, "until": until, "most": HISTORY}, binary=True
    ).fetchall()
    return [(at.timestamp(), value) for at, value in reversed(rows)]


def _within_limit(
    connection: Connection, workspace_id: uuid.UUID, missing: Mapping[bytes, Learner], kept: set[bytes]
) -> list[bytes]:
    """Those for which there is room among their metric's; a series that has a row already is counted in it."""
    allowed: list[bytes] = []
    room: dict[Learner, int] = {}
    for key, learner in missing.items():
        if key not in kept:
            if learner not in room:
                room[learner] = MOST_SERIES - _count(connection, workspace_id, learner)
            room[learner] -= 1
            if room[learner] < 0:
                continue
        allowed.append(key)
    for (framework_id, metric), left in room.items():
        if left < 0:
            log.warning(
                "a metric has more series than are learnt; anomaly rules do not judge the others",
                extra={"framework_id": str(framework_id), "metric": metric, "most": MOST_SERIES},
            )
    return allowed


def _count(connection: Connection, workspace_id: uuid.UUID, learner: Learner) -> int:
    row = connection.execute(
        COUNT, {"workspace": workspace_id, "framework": learner[0], "metric": learner[1], "most": MOST_SERIES}
    ).fetchone()
    return int(row[0]) if row else 0
