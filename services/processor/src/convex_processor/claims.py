"""Claiming shards of the inbox and giving them back."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from psycopg.types.numeric import Int2, Int4, Int8

from convex_common.domain.fingerprint import SHARDS
from convex_common.postgres.database import Connection

CLAIM = """SELECT id, workspace_id, shard, kind, key, attempts, payload, traceparent, token, config_version
FROM claim_events(%s, %s, make_interval(secs => %s), backlog => %s)"""
RELEASE = "SELECT expect(release_shards(%s, %b::smallint[]), %s, 'CX001')"
RELEASE_QUIETLY = "SELECT release_shards(%s, %b::smallint[])"


@dataclass(frozen=True, slots=True)
class ClaimedEvent:
    """One row of the inbox under a lease."""

    id: uuid.UUID
    workspace_id: uuid.UUID
    shard: int
    kind: str
    key: bytes
    attempts: int
    payload: bytes
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """Shards leased under one token, and their rows in the order of their ids."""

    token: int
    shards: tuple[int, ...]
    events: tuple[ClaimedEvent, ...]
    config_versions: dict[uuid.UUID, int]

    def by_workspace(self) -> dict[uuid.UUID, list[ClaimedEvent]]:
        """The slices that are worked on in a transaction each."""
        slices: dict[uuid.UUID, list[ClaimedEvent]] = {}
        for event in self.events:
            slices.setdefault(event.workspace_id, []).append(event)
        return slices


class Width:
    """How many shards a claim takes: halved when claims come back full (deep backlog: few shards, many folds a row),
    doubled when they come back nearly empty."""

    def __init__(self, max_rows: int) -> None:
        self.shards = SHARDS
        self.backlog = True
        self._max_rows = max_rows

    def learn(self, rows: int) -> None:
        """Adapt to the number of rows that the last claim returned."""
        self.backlog = rows > 0.1 * self._max_rows
        if rows > 0.7 * self._max_rows:
            self.shards = max(2, self.shards // 2)
        elif rows < 0.3 * self._max_rows:
            self.shards = min(SHARDS, self.shards * 2)


def claim(
    connection: Connection, max_shards: int, max_rows: int, lease_seconds: float, *, backlog: bool = True
) -> Claim | None:
    """Lease shards with due rows; None where there are none. Critical events go first where there is a `backlog`."""
    parameters = (Int4(max_shards), Int4(max_rows), lease_seconds, backlog)
    rows = connection.execute(CLAIM, parameters, binary=True).fetchall()
    if not rows:
        return None
    events = tuple(
        ClaimedEvent(row[0], row[1], row[2], row[3], bytes(row[4]), row[5], bytes(row[6]), row[7]) for row in rows
    )
    return Claim(
        token=rows[0][8],
        shards=tuple(sorted({event.shard for event in events})),
        events=events,
        config_versions={row[1]: row[9] for row in rows},
    )


def release(connection: Connection, token: int, shards: Iterable[int]) -> None:
    """Give the shards back inside the transaction; CX001 where the lease was lost."""
    held = _smallints(shards)
    connection.execute(RELEASE, (Int8(token), held, Int8(len(held))), binary=True)


def give_back(connection: Connection, token: int, shards: Sequence[int]) -> None:
    """Give back what is still held, after a failure."""
    connection.execute(RELEASE_QUIETLY, (Int8(token), _smallints(shards)), binary=True)


def _smallints(shards: Iterable[int]) -> list[Int2]:
    return [Int2(shard) for shard in sorted(shards)]
