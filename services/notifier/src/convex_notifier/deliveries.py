"""Deliveries in PostgreSQL: claimed, loaded, settled, put off, given back."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from convex_common.contracts import DELIVERIES_DUE
from convex_common.errors import LeaseLost
from convex_common.postgres.database import Connection, Database
from convex_notifier.domain.answer import Answer
from convex_notifier.domain.backoff import ATTEMPTS
from convex_notifier.domain.message import Message
from convex_notifier.domain.outcome import Delivered, Failed, Outcome, Quarantined, RetryIn

CLAIM: Final = """
SELECT id, workspace_id, token, attempts FROM claim_deliveries(%s, %s, make_interval(secs => %s), %s)"""

LOAD: Final = """
SELECT d.target, d.alert_id, d.traceparent, extract(epoch FROM clock_timestamp() - d.created_at)::float8,
       n.id, n.cause, n.sequence, n.reason, n.data, n.created_at,
       c.id, c.kind, c.config, c.secrets, c.enabled, c.deleted_at IS NOT NULL
FROM deliveries d
JOIN notifications n ON n.workspace_id = d.workspace_id AND n.id = d.notification_id
JOIN channels c ON c.workspace_id = d.workspace_id AND c.id = d.channel_id
WHERE d.workspace_id = %s AND d.id = %s AND d.lease_token = %s"""

# The token alone says whose it is: a lease that ran out while PostgreSQL was away is still ours until somebody else
# claims the delivery, and settling it then is what keeps it from being sent twice.
SETTLE: Final = """
UPDATE deliveries SET status = %(status)s, attempts = attempts + %(failures)s, last_error = %(error)s,
    delayed_reason = %(reason)s, lease_token = NULL, lease_until = NULL,
    due_at = coalesce(clock_timestamp() + make_interval(secs => %(wait)s::float8), due_at),
    next_attempt_at = clock_timestamp() + make_interval(secs => %(wait)s::float8),
    finished_at = CASE WHEN %(wait)s::float8 IS NULL THEN clock_timestamp() END
WHERE workspace_id = %(workspace)s AND id = %(id)s AND lease_token = %(token)s"""

RECORD: Final = """
INSERT INTO attempts
    (id, workspace_id, delivery_id, number, outcome, status_code, error, answer, started_at, duration_ms)
VALUES (%(attempt)s, %(workspace)s, %(id)s, %(number)s, %(outcome)s, %(status_code)s, %(told)s, %(answer)s,
    %(started_at)s, %(duration_ms)s)"""

COUNT: Final = """
INSERT INTO queue_counters AS c (workspace_id, queue, minute, slot, completed, failed)
VALUES (%(workspace)s, %(queue)s, date_trunc('minute', clock_timestamp()), %(slot)s, %(done)s, 1 - %(done)s)
ON CONFLICT (workspace_id, queue, minute, slot)
DO UPDATE SET completed = c.completed + excluded.completed, failed = c.failed + excluded.failed"""

PUT_OFF: Final = """
UPDATE deliveries SET due_at = clock_timestamp() + make_interval(secs => %(wait)s),
    next_attempt_at = clock_timestamp() + make_interval(secs => %(wait)s), delayed_reason = %(reason)s,
    lease_token = NULL, lease_until = NULL
WHERE workspace_id = %(workspace)s AND id = %(id)s AND lease_token = %(token)s"""

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
    """A claimed delivery with its notification and channel; `age` in seconds since it was decided on."""

    message: Message
    target: str
    age: float
    channel_id: uuid.UUID
    kind: str
    config: dict[str, Any] = field(repr=False)
    secrets: bytes | None = field(repr=False)
    enabled: bool
    deleted: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: its id is made when it begins, so that saving it again cannot record it twice."""

    id: uuid.UUID
    answer: Answer
    started_at: dt.datetime
    seconds: float


class Deliveries:
    """The repository; each call is one transaction. Raises StoreUnavailable where PostgreSQL is away."""

    def __init__(self, database: Database, *, per_target: int, lease_seconds: float) -> None:
        self._database = database
        self._per_target = per_target
        self._lease_seconds = lease_seconds

    def claim(self, count: int) -> list[Claim]:
        """Lease up to `count` due deliveries of any workspace, a few at once for the same target."""
        with self._database.transaction() as connection:
            rows = connection.execute(CLAIM, (count, self._per_target, self._lease_seconds, ATTEMPTS)).fetchall()
        return [Claim(*row) for row in rows]

    def load(self, claim: Claim) -> Loaded:
        """What there is to send; LeaseLost where the delivery is another worker's by now."""
        with self._database.transaction(claim.workspace_id) as connection:
            row = connection.execute(LOAD, (claim.workspace_id, claim.id, claim.token)).fetchone()
        if row is None:
            raise LeaseLost("the delivery's lease ran out before it was begun")
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

    def settle(self, claim: Claim, attempt: Attempt, outcome: Outcome, slot: int) -> None:
        """Delivery, ledger and counters in one transaction; LeaseLost, and nothing written, where it is another's."""
        status, recorded, wait, reason, error = _columns(outcome)
        values = {
            "workspace": claim.workspace_id,
            "id": claim.id,
            "token": claim.token,
            "status": status,
            "failures": 0 if status == "delivered" else 1,
            "error": error,
            "reason": reason,
            "wait": wait,
            "attempt": attempt.id,
            "number": claim.failures + 1,
            "outcome": recorded,
            "status_code": attempt.answer.status_code,
            "told": attempt.answer.error,
            "answer": attempt.answer.excerpt,
            "started_at": attempt.started_at,
            "duration_ms": attempt.seconds * 1000,
            "queue": DELIVERIES_DUE.queue,
            "slot": slot,
            "done": int(status == "delivered"),
        }
        with self._database.transaction(claim.workspace_id) as connection:
            _held(connection, SETTLE, values)
            connection.execute(RECORD, values)
            if status != "pending":
                connection.execute(COUNT, values)

    def put_off(self, claim: Claim, seconds: float, reason: str) -> None:
        """Make it due later without an attempt; LeaseLost where it is another's."""
        values = {
            "workspace": claim.workspace_id,
            "id": claim.id,
            "token": claim.token,
            "wait": seconds,
            "reason": reason,
        }
        with self._database.transaction(claim.workspace_id) as connection:
            _held(connection, PUT_OFF, values)

    def give_back(self, claims: Sequence[Claim]) -> None:
        """Let others have at once what was claimed and not begun."""
        for workspace_id in {claim.workspace_id for claim in claims}:
            mine = [claim for claim in claims if claim.workspace_id == workspace_id]
            with self._database.transaction(workspace_id) as connection:
                tokens = list({claim.token for claim in mine})
                connection.execute(GIVE_BACK, (workspace_id, [claim.id for claim in mine], tokens))


def _held(connection: Connection, statement: Any, values: dict[str, Any]) -> None:
    if connection.execute(statement, values).rowcount != 1:
        raise LeaseLost("another worker has the delivery by now")


def _columns(outcome: Outcome) -> tuple[str, str, float | None, str | None, str | None]:
    """Status of the delivery, outcome on the ledger, seconds to wait, why, and the error."""
    match outcome:
        case Delivered():
            return "delivered", "delivered", None, None, None
        case RetryIn(seconds, reason, error):
            return "pending", "retry", seconds, reason, error
        case Failed(error):
            return "failed", "failed", None, None, error
        case Quarantined(error):
            return "quarantined", "quarantined", None, None, error
