"""Deliveries in PostgreSQL: claimed, loaded, given back. What became of them is saved by `settlements`."""

from __future__ import annotations

import logging
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from psycopg.types.numeric import Float8, Int4, Int8

from convex_common.postgres.database import Database
from convex_notifier.domain.backoff import ATTEMPTS
from convex_notifier.domain.message import Message

log = logging.getLogger(__name__)

CLAIM: Final = """
SELECT id, workspace_id, token, attempts FROM claim_deliveries(%s, %s, make_interval(secs => %s), %s)"""

WORKSPACE: Final = "SELECT set_config('app.workspace_id', %s, true)"

LOAD: Final = """
SELECT x.* FROM unnest(%(ids)b::uuid[]) u(id) CROSS JOIN LATERAL (
    SELECT d.id, d.target, d.alert_id, d.traceparent, extract(epoch FROM clock_timestamp() - d.created_at)::float8,
           n.id, n.cause, n.sequence, n.reason, n.data, n.created_at,
           c.id, c.kind, c.config::text, c.secrets, c.enabled, c.deleted_at IS NOT NULL
    FROM deliveries d
    JOIN notifications n ON n.workspace_id = d.workspace_id AND n.id = d.notification_id
    JOIN channels c ON c.workspace_id = d.workspace_id AND c.id = d.channel_id
    WHERE d.workspace_id = %(workspace)s AND d.id = u.id AND d.lease_token = %(token)s
    LIMIT 1) x"""

GIVE_BACK: Final = """
UPDATE deliveries SET due_at = clock_timestamp(), lease_token = NULL, lease_until = NULL
WHERE workspace_id = %s AND id = ANY(%s) AND lease_token = ANY(%s)"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery under a lease; `failures` of earlier attempts."""

    id: uuid.UUID
    workspace_id: uuid.UUID
    token: int
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A claimed delivery with its notification and channel.

    `age` is in seconds since it was decided on, `config` in JSON, `secrets` as sealed.
    """

    claim: Claim
    message: Message
    target: str
    age: float
    channel_id: uuid.UUID
    kind: str
    config: str = field(repr=False)
    secrets: bytes | None = field(repr=False)
    enabled: bool
    deleted: bool


class Deliveries:
    """The repository; each call is one round trip. Raises StoreUnavailable where PostgreSQL is away.

    For one thread: it remembers what it claimed until that is loaded.
    """

    def __init__(self, database: Database, *, per_target: int, lease_seconds: float) -> None:
        self._database = database
        self._per_target = per_target
        self._lease_seconds = lease_seconds
        self._unbegun: list[Claim] = []

    def take(self, count: int) -> list[Loaded]:
        """Claim and load up to `count` due deliveries.

        What was claimed and could not be loaded is given back at the next call, so that others need not wait for the
        end of its lease.
        """
        if self._unbegun:
            self.give_back(self._unbegun)
        self._unbegun = claims = self.claim(count)
        loaded = self.load(claims)
        self._unbegun = []
        if len(loaded) < len(claims):
            log.info("%d claims were lost before they were begun", len(claims) - len(loaded))
        return loaded

    def claim(self, count: int) -> list[Claim]:
        """Lease up to `count` due deliveries of any workspace, a few at once for the same target."""
        values = (Int4(count), Int4(self._per_target), Float8(self._lease_seconds), Int4(ATTEMPTS))
        with self._database.transaction() as connection, connection.pipeline():
            claimed = connection.execute(CLAIM, values, binary=True)
            connection.execute("COMMIT")
        return [Claim(*row) for row in claimed.fetchall()]

    def load(self, claims: Sequence[Claim]) -> list[Loaded]:
        """What there is to send, a transaction for each workspace; without claims that are another worker's by now."""
        if not claims:
            return []
        cursors = []
        with self._database.transaction() as connection, connection.pipeline():
            for place, ((workspace_id, token), mine) in enumerate(_grouped(claims).items()):
                if place:  # the first is begun by psycopg
                    connection.execute("BEGIN")
                connection.execute(WORKSPACE, (str(workspace_id),))
                values = {"workspace": workspace_id, "token": Int8(token), "ids": [claim.id for claim in mine]}
                cursors.append(connection.execute(LOAD, values, binary=True))
                connection.execute("COMMIT")
        claimed = {claim.id: claim for claim in claims}
        return [_loaded(claimed[row[0]], row[1:]) for cursor in cursors for row in cursor.fetchall()]

    def give_back(self, claims: Iterable[Claim]) -> None:
        """Let others have at once what was claimed and not begun."""
        for (workspace_id, token), mine in _grouped(claims).items():
            with self._database.transaction(workspace_id) as connection:
                connection.execute(GIVE_BACK, (workspace_id, [claim.id for claim in mine], [token]))


def _grouped(claims: Iterable[Claim]) -> dict[tuple[uuid.UUID, int], list[Claim]]:
    grouped: dict[tuple[uuid.UUID, int], list[Claim]] = defaultdict(list)
    for claim in claims:
        grouped[claim.workspace_id, claim.token].append(claim)
    return grouped


def _loaded(claim: Claim, row: Sequence[Any]) -> Loaded:
    target, alert_id, traceparent, age, *rest = row
    notification_id, cause, sequence, reason, data, created_at, *channel = rest
    channel_id, kind, config, secrets, enabled, deleted = channel
    message = Message(
        workspace_id=claim.workspace_id,
        delivery_id=claim.id,
        notification_id=notification_id,
        alert_id=alert_id,
        cause=cause,
        sequence=sequence,
        reason=reason,
        alert=bytes(data),
        created_at=created_at,
        traceparent=traceparent,
    )
    return Loaded(
        claim=claim,
        message=message,
        target=target,
        age=age,
        channel_id=channel_id,
        kind=kind,
        config=config,
        secrets=None if secrets is None else bytes(secrets),
        enabled=enabled,
        deleted=deleted,
    )
