"""What people said of an alert."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from convex_common.domain.verdict import Judged, Verdict
from convex_common.postgres.database import Connection

OF_ALERT: Final = text("""SELECT v.alert_id, v.user_id, v.verdict, v.at FROM alert_verdicts v
WHERE v.workspace_id = :workspace AND v.alert_id = :alert AND v.user_id > :after ORDER BY v.user_id LIMIT :count""")

OF_PERSON: Final = """SELECT verdict FROM alert_verdicts
WHERE workspace_id = %s AND alert_id = %s AND user_id = %s"""


async def page(
    connection: AsyncConnection, workspace_id: uuid.UUID, alert_id: uuid.UUID, *, after: str, count: int
) -> list[Judged]:
    """The last word of each person, by their ids."""
    which = {"workspace": workspace_id, "alert": alert_id, "after": after, "count": count}
    return [_judged(*row) for row in await connection.execute(OF_ALERT, which)]


def of_person(connection: Connection, workspace_id: uuid.UUID, alert_id: uuid.UUID, user_id: str) -> Verdict | None:
    """What a person has said of an alert. Nobody changes it while the alert is locked."""
    row = connection.execute(OF_PERSON, (workspace_id, alert_id, user_id)).fetchone()
    return Verdict(row[0]) if row else None


def _judged(alert_id: uuid.UUID, user_id: str, verdict: str, at: dt.datetime) -> Judged:
    return Judged(alert_id=alert_id, user_id=user_id, verdict=Verdict(verdict), at=at)
