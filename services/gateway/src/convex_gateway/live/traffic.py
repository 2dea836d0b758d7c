"""What goes through sockets, counted for this process and for the workspace that they belong to."""

from __future__ import annotations

from uuid import UUID

from convex_common.measures import WS_CLIENTS, WS_ERRORS, WS_RECEIVED, WS_SENT, WS_SUBSCRIPTIONS, Measures
from convex_common.metrics import Metrics


class Traffic:
    """Counts frames, faults, clients and subscriptions; before a socket has signed in it is no workspace's."""

    def __init__(self, metrics: Metrics, measures: Measures, workspace_id: UUID | None = None) -> None:
        self._metrics = metrics
        self._measures = measures
        self._workspace_id = workspace_id

    def of(self, workspace_id: UUID) -> Traffic:
        """The same, of a workspace."""
        return Traffic(self._metrics, self._measures, workspace_id)

    def sent(self, frames: int = 1) -> None:
        """Frames were written."""
        self._metrics.websocket_messages_sent.inc(frames)
        self._count(WS_SENT, frames)

    def received(self) -> None:
        """A frame came."""
        self._metrics.websocket_messages_received.inc()
        self._count(WS_RECEIVED)

    def failed(self) -> None:
        """A socket is closed for a fault."""
        self._metrics.websocket_errors.inc()
        self._count(WS_ERRORS)

    def clients(self, by: int) -> None:
        """So many more sockets are signed in, or fewer. All that are open are counted where they are accepted."""
        self._rise(WS_CLIENTS, by)

    def subscriptions(self, by: int) -> None:
        """So many more subscriptions are held, or fewer."""
        self._metrics.websocket_subscriptions_active.inc(by)
        self._rise(WS_SUBSCRIPTIONS, by)

    def _count(self, name: str, by: int = 1) -> None:
        if self._workspace_id is not None:
            self._measures.count(self._workspace_id, name, by=by)

    def _rise(self, name: str, by: int) -> None:
        if self._workspace_id is not None and by:
            self._measures.rise(self._workspace_id, name, by)
