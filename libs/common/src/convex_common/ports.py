"""What the middle needs of the edge, as Protocols; adapters under redis/ and postgres/ fit them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from convex_common.contracts import Contract
from convex_common.feed import LiveMessage

P = TypeVar("P")


class FeedPublisher(Protocol):
    """Publishes to the live feed, best effort: False when it did not, never an error."""

    def publish(self, messages: Sequence[LiveMessage]) -> bool: ...


class HintSender(Protocol):
    """Sends a message by its contract, best effort: False when it did not, never an error."""

    def send(self, contract: Contract[P], payload: P, traceparent: str | None = None) -> bool: ...
