"""Deliveries in PostgreSQL: taken, given back. What became of them is saved by `settlements`."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from psycopg.types.numeric import Float8, Int4

from convex_notifier.domain.backoff import ATTEMPTS
from convex_notifier.domain.message import Message
from convex_notifier.session import Session

TAKE: Final = "SELECT * FROM take_deliveries(%s, %s, make_interval(secs => %s), %s)"

WORKSPACE: Final = "SELECT set_config('app.workspace_id', %s, true)"

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
    """The repository, for the one thread that claims. Raises StoreUnavailable where PostgreSQL is away."""

    def __init__(self, session: Session, *, per_target: int, lease_seconds: float) -> None:
        self._session = session
        self._per_target = per_target
        self._lease_seconds = lease_seconds

    def take(self, count: int) -> list[Loaded]:
        """Lease up to `count` due deliveries of any workspace, a few at once for the same target; one transaction."""
        values = (Int4(count), Int4(self._per_target), Float8(self._lease_seconds), Int4(ATTEMPTS))
        with self._session.connected() as connection:
            return [_loaded(row) for row in connection.execute(TAKE, values, binary=True).fetchall()]

    def give_back(self, claims: Iterable[Claim]) -> None:
        """Let others have at once what was taken and not begun."""
        of_workspace: dict[uuid.UUID, list[Claim]] = defaultdict(list)
        for claim in claims:
            of_workspace[claim.workspace_id].append(claim)
        with self._session.connected() as connection:
            for workspace_id, mine in of_workspace.items():
                with connection.transaction():
                    connection.execute(WORKSPACE, (str(workspace_id),))
                    tokens = list({claim.token for claim in mine})
                    connection.execute(GIVE_BACK, (workspace_id, [claim.id for claim in mine], tokens))


def _loaded(row: Sequence[Any]) -> Loaded:
    delivery_id, workspace_id, token, failures, target, alert_id, traceparent, age, *rest = row
    notification_id, cause, sequence, reason, data, created_at, *channel = rest
    channel_id, kind, config, secrets, enabled, deleted = channel
    message = Message(
        workspace_id=workspace_id,
        delivery_id=delivery_id,
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
        claim=Claim(delivery_id, workspace_id, token, failures),
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
