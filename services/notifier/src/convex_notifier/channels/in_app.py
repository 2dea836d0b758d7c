"""In-app notifications: a row in each person's inbox, and a frame to those who are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from convex_common import in_app
from convex_common.errors import StoreUnavailable
from convex_common.feed import LiveMessage, LiveNotification
from convex_common.postgres.database import Database
from convex_notifier.domain import answer
from convex_notifier.domain.answer import Answer
from convex_notifier.domain.message import Destination, Message

# One row for each of the named members, or for every member; a repeated attempt finds them there and adds none.
INSERT: Final = """
INSERT INTO user_notifications (workspace_id, id, user_id, notification_id, alert_id, cause, title, data)
SELECT m.workspace_id, uuid_v7(), m.user_id, %(notification)s, %(alert)s, %(cause)s, %(title)s, %(data)s
FROM members m WHERE m.workspace_id = %(workspace)s AND (%(users)s::text[] IS NULL OR m.user_id = ANY(%(users)s))
ON CONFLICT (workspace_id, notification_id, user_id) DO NOTHING"""


class Publisher(Protocol):
    """The live feed, at best effort."""

    def publish(self, messages: Sequence[LiveMessage]) -> bool: ...


class _Titled(msgspec.Struct):
    title: str = "Alert"


class InApp:
    """Writes the inboxes in a transaction of its own, then tells the sockets; repeating it adds nothing."""

    def __init__(self, database: Database, publisher: Publisher) -> None:
        self._database = database
        self._publisher = publisher

    def send(self, message: Message, destination: Destination, deadline: float) -> Answer:
        """One attempt; statements end by themselves well before an attempt's deadline."""
        named = destination.config.get("user_ids")
        users = None if named is None else tuple(str(user) for user in named)
        title = msgspec.json.decode(message.alert, type=_Titled).title
        try:
            with self._database.transaction(message.workspace_id) as connection:
                connection.execute(
                    INSERT,
                    {
                        "workspace": message.workspace_id,
                        "notification": message.notification_id,
                        "alert": message.alert_id,
                        "cause": message.cause,
                        "title": title,
                        "data": message.alert,
                        "users": None if users is None else list(users),
                    },
                )
        except StoreUnavailable as error:
            return answer.unavailable(str(error))
        frame = in_app.frame(
            message.notification_id, message.alert_id, message.cause, title, message.alert, message.created_at
        )
        self._publisher.publish([LiveNotification(message.workspace_id, users, frame)])
        return answer.accepted()
