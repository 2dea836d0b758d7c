"""Loads and saves series and stores observations, set-wise."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

import msgspec

from convex_common.domain.conditions import SeriesState
from convex_common.domain.fingerprint import series_key
from convex_common.events import Observation
from convex_common.postgres.database import Connection
from convex_processor.domain.series import Series

LOAD = """SELECT x.* FROM unnest(%(series)b::bytea[]) u(s) CROSS JOIN LATERAL (
    SELECT t.series, t.framework_id, t.metric, t.labels, t.last_value, t.last_at, t.state FROM series_state t
    WHERE t.workspace_id = %(workspace)s AND t.series = u.s FOR UPDATE) x"""

SAVE = """INSERT INTO series_state (workspace_id, series, framework_id, metric, labels, last_value, last_at, state)
SELECT %(workspace)s, u.series, u.framework_id, u.metric, u.labels::jsonb, u.last_value, u.last_at, u.state
FROM unnest(%(series)b::bytea[], %(framework_id)b::uuid[], %(metric)b::text[], %(labels)b::text[],
            %(last_value)b::float8[], %(last_at)b::timestamptz[], %(state)b::bytea[])
     AS u(series, framework_id, metric, labels, last_value, last_at, state)
ON CONFLICT (workspace_id, series) DO UPDATE
SET last_value = excluded.last_value, last_at = excluded.last_at, state = excluded.state"""

STORE = """INSERT INTO observations (workspace_id, series, framework_id, metric, value, at)
SELECT %(workspace)s, u.series, u.framework_id, u.metric, u.value, u.at
FROM unnest(%(series)b::bytea[], %(framework_id)b::uuid[], %(metric)b::text[], %(value)b::float8[],
            %(at)b::timestamptz[]) AS u(series, framework_id, metric, value, at)"""

_state = msgspec.json.Decoder(SeriesState)
_encode = msgspec.json.Encoder().encode


def lock(connection: Connection, workspace_id: uuid.UUID, keys: Iterable[bytes]) -> dict[bytes, Series]:
    """The known ones of these series, locked until the transaction ends."""
    rows = connection.execute(LOAD, {"workspace": workspace_id, "series": sorted(keys)}, binary=True).fetchall()
    return {
        bytes(row[0]): Series(bytes(row[0]), row[1], row[2], row[3], _state.decode(row[6]), row[4], row[5])
        for row in rows
    }


def save(connection: Connection, workspace_id: uuid.UUID, series: Iterable[Series]) -> None:
    """Write each series' last value and state."""
    changed = sorted(series, key=lambda one: one.key)
    if not changed:
        return
    connection.execute(
        SAVE,
        {
            "workspace": workspace_id,
            "series": [one.key for one in changed],
            "framework_id": [one.framework_id for one in changed],
            "metric": [one.metric for one in changed],
            "labels": [_encode(one.labels).decode() for one in changed],
            "last_value": [one.last_value for one in changed],
            "last_at": [one.last_at for one in changed],
            "state": [_encode(one.state) for one in changed],
        },
        binary=True,
    )


def store(connection: Connection, workspace_id: uuid.UUID, observations: Sequence[Observation]) -> None:
    """Keep the observations themselves."""
    if not observations:
        return
    connection.execute(
        STORE,
        {
            "workspace": workspace_id,
            "series": [series_key(workspace_id, one.framework_id, one.metric, one.labels) for one in observations],
            "framework_id": [one.framework_id for one in observations],
            "metric": [one.metric for one in observations],
            "value": [one.value for one in observations],
            "at": [one.at for one in observations],
        },
        binary=True,
    )
