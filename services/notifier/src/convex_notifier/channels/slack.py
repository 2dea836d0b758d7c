"""Slack's incoming webhooks, and those of servers that take the same (Mattermost, Discord's `/slack`)."""

from __future__ import annotations

from convex_notifier.domain import slack, summary
from convex_notifier.domain.answer import Answer
from convex_notifier.domain.message import Destination, Message
from convex_notifier.http import Http


class Slack:
    """One POST per attempt. The address is the secret: nothing tells it."""

    def __init__(self, http: Http, public_url: str | None) -> None:
        self._http = http
        self._public_url = public_url

    def send(self, message: Message, destination: Destination, deadline: float) -> Answer:
        """One attempt: an answer in any case. Slack knows no ids, so one that is repeated is posted again."""
        content = slack.body(summary.of(message, self._public_url))
        url = destination.config.get("webhook_url")
        return slack.explained(self._http.post("config.webhook_url", url, content, deadline))
