"""Which of a delivery's recipients a mail server has answered for good, kept between attempts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from convex_common.postgres.database import Database
from convex_notifier.domain.message import Message
from convex_notifier.domain.reply import Reply

KNOWN: Final = "SELECT address, code, answer FROM delivery_recipients WHERE workspace_id = %s AND delivery_id = %s"
REMEMBER: Final = """
INSERT INTO delivery_recipients (workspace_id, delivery_id, address, code, answer)
SELECT %s, %s, u.* FROM unnest(%s::text[], %s::smallint[], %s::text[]) u
ON CONFLICT (workspace_id, delivery_id, address) DO UPDATE SET code = excluded.code, answer = excluded.answer"""


class Recipients:
    """The repository. Raises StoreUnavailable where PostgreSQL is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, message: Message) -> dict[str, Reply]:
        """The last word on each recipient that needs no further attempt."""
        with self._database.transaction(message.workspace_id) as connection:
            rows = connection.execute(KNOWN, (message.workspace_id, message.delivery_id)).fetchall()
        return {address: Reply(code, answer) for address, code, answer in rows}

    def remember(self, message: Message, replies: Mapping[str, Reply]) -> None:
        """Keep these last words."""
        columns = (list(replies), [reply.code for reply in replies.values()], [r.text for r in replies.values()])
        with self._database.transaction(message.workspace_id) as connection:
            connection.execute(REMEMBER, (message.workspace_id, message.delivery_id, *columns))
