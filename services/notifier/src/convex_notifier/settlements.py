"""What became of deliveries, saved set-wise: rows, ledger and counters in a transaction for each workspace."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import psycopg
from psycopg.types.numeric import Int2, Int4, Int8

from convex_common.postgres.database import Connection, Row
from convex_notifier.deliveries import Claim
from convex_notifier.domain.answer import Answer
from convex_notifier.domain.outcome import Delivered, Failed, Outcome, PutOff, Quarantined, RetryIn
from convex_notifier.session import Session

Cursor: TypeAlias = psycopg.Cursor[Row]

SLOTS: Final = 64

SETTLE: Final = """
SELECT id, token FROM settle_deliveries(
    %b, %b, %b::uuid[], %b::int8[], %b::text[], %b::text[], %b::text[], %b::float8[], %b::uuid[], %b::int2[],
    %b::int4[], %b::text[], %b::timestamptz[], %b::float8[])"""

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
    """Saves any number at once, in one round trip; for the one thread that saves."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._slot = Int2(random.randrange(SLOTS))  # noqa: S311 - spreads processes over counters

    def save(self, settlements: Sequence[Settlement]) -> list[Settlement]:
        """Save each whose lease is still its claim's, in a transaction for each workspace; the others.

        Raises StoreUnavailable where PostgreSQL is away, and psycopg's errors where it refused: some workspaces' may be
        saved then, and saving those again finds their leases gone.
        """
        of_workspace: dict[uuid.UUID, list[Settlement]] = defaultdict(list)
        for settlement in settlements:
            of_workspace[settlement.claim.workspace_id].append(settlement)
        with self._session.connected() as connection:
            if len(of_workspace) == 1:
                cursors = [self._settle(connection, *one) for one in of_workspace.items()]
            else:
                cursors = self._settle_each(connection, list(of_workspace.items()))
            held = {row for cursor in cursors for row in cursor.fetchall()}
        return [one for one in settlements if (one.claim.id, one.claim.token) not in held]

    def _settle_each(
        self, connection: Connection, of_workspace: Sequence[tuple[uuid.UUID, Sequence[Settlement]]]
    ) -> list[Cursor]:
        cursors = []
        with connection.pipeline():
            for place, one in enumerate(of_workspace, 1):
                connection.execute("BEGIN")
                if place < len(of_workspace):
                    connection.execute(NO_WAIT)
                cursors.append(self._settle(connection, *one))
                connection.execute("COMMIT")
        return cursors

    def _settle(self, connection: Connection, workspace_id: uuid.UUID, settlements: Sequence[Settlement]) -> Cursor:
        columns = zip(*map(_row, settlements), strict=True)
        return connection.execute(SETTLE, (workspace_id, self._slot, *map(list, columns)), binary=True)


def _row(settlement: Settlement) -> tuple[Any, ...]:
    """As settle_deliveries takes it, column by column."""
    claim, attempt = settlement.claim, settlement.attempt
    status, wait, reason, error = _decided(settlement.outcome)
    decided = (claim.id, Int8(claim.token), status, error, reason, wait)
    number = Int2(claim.failures + 1)
    if attempt is None:
        return *decided, None, number, None, None, None, None
    code = attempt.answer.status_code
    tried = None if code is None else Int4(code), attempt.answer.excerpt, attempt.started_at, attempt.seconds * 1000
    return *decided, attempt.id, number, *tried


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
