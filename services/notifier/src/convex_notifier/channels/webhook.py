"""Webhooks: signed by Standard Webhooks, to addresses that the egress rules permit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from convex_common.errors import Invalid
from convex_notifier.domain import answer, standard_webhook
from convex_notifier.domain.answer import Answer
from convex_notifier.domain.message import Destination, Message
from convex_notifier.http import Http


class Webhook:
    """One POST per attempt, under the delivery's id."""

    def __init__(self, http: Http, *, now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)) -> None:
        self._http = http
        self._now = now

    def send(self, message: Message, destination: Destination, deadline: float) -> Answer:
        """One attempt: an answer in any case."""
        content = standard_webhook.body(message)
        try:
            headers = standard_webhook.headers(
                message.delivery_id, content, destination.config.get("secret"), self._now()
            )
        except Invalid as error:
            return answer.rejected(str(error))
        return self._http.post("config.url", destination.config.get("url"), content, deadline, headers)
