"""What became of deliveries, saved set-wise: rows, ledger and counters in a transaction for each workspace."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg.types.numeric import Int2, Int4, Int8

from convex_common.contracts import DELIVERIES_DUE
from convex_common.postgres.database import Connection, Database
from convex_notifier.deliveries import WORKSPACE, Claim
from convex_notifier.domain.answer import Answer
from convex_notifier.domain.outcome import Delivered, Failed, Outcome, PutOff, Quarantined, RetryIn

SLOTS: Final = 64

# The token alone says whose it is: a lease that ran out while PostgreSQL was away is still ours until somebody else
# claims the delivery, and settling it then is what keeps it from being sent twice. A row without an attempt is put off.
SETTLE: Final = """
WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS now),
held AS (
    UPDATE deliveries d SET status = u.status,
        attempts = d.attempts + (u.attempt IS NOT NULL AND u.status <> 'delivered')::integer,
        last_error = CASE WHEN u.attempt IS NULL THEN d.last_error ELSE u.error END,
        delayed_reason = u.reason, lease_token = NULL, lease_until = NULL,
        due_at = coalesce(clock.now + make_interval(secs => u.wait), d.due_at),
        next_attempt_at = clock.now + make_interval(secs => u.wait),
        finished_at = CASE WHEN u.wait IS NULL THEN clock.now END
    FROM clock, unnest(%(id)b::uuid[], %(token)b::int8[], %(status)b::text[], %(error)b::text[], %(reason)b::text[],
                       %(wait)b::float8[], %(attempt)b::uuid[], %(number)b::int2[], %(status_code)b::int4[],
                       %(answer)b::text[], %(started_at)b::timestamptz[], %(duration_ms)b::float8[])
         AS u(id, token, status, error, reason, wait, attempt, number, status_code, answer, started_at, duration_ms)
    WHERE d.workspace_id = %(workspace)s AND d.id = u.id AND d.lease_token = u.token
    RETURNING u.*),
recorded AS (
    INSERT INTO attempts
        (id, workspace_id, delivery_id, number, outcome, status_code, error, answer, started_at, duration_ms)
    SELECT attempt, %(workspace)s, id, number, CASE status WHEN 'pending' THEN 'retry' ELSE status END, status_code,
           error, answer, started_at, duration_ms
    FROM held WHERE attempt IS NOT NULL),
counted AS (
    INSERT INTO queue_counters AS c (workspace_id, queue, minute, slot, completed, failed)
    SELECT %(workspace)s, %(queue)s, date_trunc('minute', min(clock.now)), %(slot)s,
           count(*) FILTER (WHERE status = 'delivered'), count(*) FILTER (WHERE status <> 'delivered')
    FROM held, clock WHERE status <> 'pending' HAVING count(*) > 0
    ON CONFLICT (workspace_id, queue, minute, slot)
    DO UPDATE SET completed = c.completed + excluded.completed, failed = c.failed + excluded.failed)
SELECT id, token FROM held"""

# The commits of one pipeline wait for the disk once, at the last. Were that one's leases all lost, the others would
# follow within moments; a server that crashes before has their deliveries repeated under the same ids.
NO_WAIT: Final = "SET LOCAL synchronous_commit = off"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: its id is made when it begins, so that saving it again cannot record it twice."""

    id: uuid.UUID
    answer: Answer
    started_at: dt.datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class Settlement:
    """What to save of a claimed delivery; without an attempt it is put off."""

    claim: Claim
    attempt: Attempt | None
    outcome: Outcome | PutOff


class Settlements:
    """Saves any number at once, in one round trip."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._slot = random.randrange(SLOTS)  # noqa: S311 - spreads processes over counters

    def save(self, settlements: Sequence[Settlement]) -> list[Settlement]:
        """Save each whose lease is still its claim's; the others, of which nothing was written.

        Raises StoreUnavailable where PostgreSQL is away, and psycopg's errors where it refused: some workspaces' may be
        saved then, and saving those again finds their leases gone.
        """
        of_workspace: dict[uuid.UUID, list[Settlement]] = defaultdict(list)
        for settlement in settlements:
            of_workspace[settlement.claim.workspace_id].append(settlement)
        cursors = []
        with self._database.transaction() as connection, connection.pipeline():
            for place, (workspace_id, mine) in enumerate(of_workspace.items(), 1):
                if place > 1:  # the first is begun by psycopg
                    connection.execute("BEGIN")
                if place < len(of_workspace):
                    connection.execute(NO_WAIT)
                cursors.append(self._settle(connection, workspace_id, mine))
                connection.execute("COMMIT")
        held = {row for cursor in cursors for row in cursor.fetchall()}
        return [one for one in settlements if (one.claim.id, one.claim.token) not in held]

    def _settle(self, connection: Connection, workspace_id: uuid.UUID, settlements: Sequence[Settlement]) -> Any:
        connection.execute(WORKSPACE, (str(workspace_id),))
        rows = [_row(settlement) for settlement in settlements]
        values = {
            "workspace": workspace_id,
            "queue": DELIVERIES_DUE.queue,
            "slot": Int2(self._slot),
            **{name: [row[name] for row in rows] for name in rows[0]},
        }
        return connection.execute(SETTLE, values, binary=True)


def _row(settlement: Settlement) -> dict[str, Any]:
    status, wait, reason, error = _decided(settlement.outcome)
    claim, attempt = settlement.claim, settlement.attempt
    code = attempt.answer.status_code if attempt else None
    return {
        "id": claim.id,
        "token": Int8(claim.token),
        "status": status,
        "error": error,
        "reason": reason,
        "wait": wait,
        "attempt": attempt.id if attempt else None,
        "number": Int2(claim.failures + 1),
        "status_code": None if code is None else Int4(code),
        "answer": attempt.answer.excerpt if attempt else None,
        "started_at": attempt.started_at if attempt else None,
        "duration_ms": attempt.seconds * 1000 if attempt else None,
    }


def _decided(outcome: Outcome | PutOff) -> tuple[str, float | None, str | None, str | None]:
    """Status of the delivery, seconds to wait, why, and the error."""
    match outcome:
        case Delivered():
            return "delivered", None, None, None
        case RetryIn(seconds, reason, error):
            return "pending", float(seconds), reason, error
        case PutOff(seconds, reason):
            return "pending", float(seconds), reason, None
        case Failed(error):
            return "failed", None, None, error
        case Quarantined(error):
            return "quarantined", None, None, error
