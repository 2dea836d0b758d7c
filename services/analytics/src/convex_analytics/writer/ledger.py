"""What models cost a workspace: written down before it is spent."""

from __future__ import annotations

import uuid
from typing import Final

from convex_common.postgres.database import Connection

_MONTH: Final = "date_trunc('month', clock_timestamp(), 'UTC')"

# One question of a workspace at a time decides whether there is money left for it.
LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%(workspace)s::text || ' model_calls', 0))"

SPENT: Final = f"""SELECT coalesce(sum(cost_micros), 0)::bigint FROM model_calls
WHERE workspace_id = %(workspace)s AND at >= {_MONTH}"""  # noqa: S608 - made of our own text

ASK: Final = """INSERT INTO model_calls (workspace_id, id, purpose, model, outcome, cost_micros)
VALUES (%(workspace)s, %(id)s, 'predictions', %(model)s, 'asked', %(cost)s)"""

ANSWERED: Final = """UPDATE model_calls SET outcome = %(outcome)s, input_tokens = %(given)s,
    output_tokens = %(written)s, cost_micros = %(cost)s, seconds = extract(epoch FROM clock_timestamp() - at)
WHERE workspace_id = %(workspace)s AND id = %(id)s"""

FAILED: Final = """UPDATE model_calls SET outcome = %(outcome)s, seconds = extract(epoch FROM clock_timestamp() - at),
    cost_micros = CASE WHEN %(billed)s THEN cost_micros ELSE 0 END
WHERE workspace_id = %(workspace)s AND id = %(id)s"""


def reserve(connection: Connection, workspace_id: uuid.UUID, call: uuid.UUID, model: str, most: int, cap: int) -> bool:
    """Whether a call that may cost `most` is within the month's `cap`; it is on record then. All in micros."""
    which = {"workspace": workspace_id}
    connection.execute(LOCK, which)
    row = connection.execute(SPENT, which).fetchone()
    if row is None or row[0] + most > cap:
        return False
    connection.execute(ASK, {**which, "id": call, "model": model, "cost": most})
    return True


def answered(
    connection: Connection, workspace_id: uuid.UUID, call: uuid.UUID, outcome: str, given: int, written: int, cost: int
) -> None:
    """What it took is known."""
    values = {"outcome": outcome, "given": given, "written": written, "cost": cost}
    connection.execute(ANSWERED, {"workspace": workspace_id, "id": call, **values})


def failed(connection: Connection, workspace_id: uuid.UUID, call: uuid.UUID, outcome: str, *, billed: bool) -> None:
    """No answer; where it may have been billed, the reserve stays as its cost."""
    connection.execute(FAILED, {"workspace": workspace_id, "id": call, "outcome": outcome, "billed": billed})
