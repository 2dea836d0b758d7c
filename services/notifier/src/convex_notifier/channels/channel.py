"""What the notifier asks of a channel."""

from __future__ import annotations

from typing import Protocol

from convex_notifier.domain.answer import Answer
from convex_notifier.domain.message import Destination, Message


class Channel(Protocol):
    """Takes messages to one kind of destination."""

    def send(self, message: Message, destination: Destination, deadline: float) -> Answer:
        """One attempt, which ends by `deadline` of the monotonic clock. It may be a repetition of an earlier one.

        What goes wrong is told by the answer; an exception is a fault in the channel's code.
        """
        ...
