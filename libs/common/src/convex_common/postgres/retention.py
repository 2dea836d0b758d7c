"""The terms that workspaces have of their own."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Final

from convex_common.domain.retention import SHORTEST
from convex_common.errors import Invalid
from convex_common.postgres.database import Connection

OwnTerms = dict[str, int | None]

FIND: Final = """SELECT observations_days, log_days, alerts_days, statistics_days
FROM workspace_retention WHERE workspace_id = %s"""

SAVE: Final = """INSERT INTO workspace_retention
    (workspace_id, observations_days, log_days, alerts_days, statistics_days)
VALUES (%(workspace)s, %(observations)s, %(log)s, %(alerts)s, %(statistics)s)
ON CONFLICT (workspace_id) DO UPDATE SET observations_days = excluded.observations_days,
    log_days = excluded.log_days, alerts_days = excluded.alerts_days, statistics_days = excluded.statistics_days"""


def find(connection: Connection, workspace_id: uuid.UUID) -> OwnTerms:
    """Days by kind; None where the workspace has the installation's term."""
    row = connection.execute(FIND, (workspace_id,)).fetchone()
    days = row if row is not None else (None,) * len(SHORTEST)
    return dict(zip(SHORTEST, days, strict=True))


def change(connection: Connection, workspace_id: uuid.UUID, changed: Mapping[str, int | None]) -> OwnTerms:
    """The terms afterwards; None takes a term of its own away. Invalid where one is too short."""
    for kind, days in changed.items():
        if days is not None and days < SHORTEST[kind]:
            raise Invalid(kind, f"{days} is too short", cure=f"give {SHORTEST[kind]} days or more")
    terms = find(connection, workspace_id) | dict(changed)
    connection.execute(SAVE, {"workspace": workspace_id, **terms})
    return terms
