"""What a feed gives."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from convex_alerts.models import Alert


@dataclass(frozen=True, slots=True)
class Position:
    """Where a reader stands: it has everything up to `offset` of this epoch. Keep it to go on after a restart."""

    epoch: str
    offset: int


@dataclass(frozen=True, slots=True)
class Change:
    """An alert changed: `event` is created, updated, acknowledged, resolved, …; `data` is the alert as it came."""

    event: str
    position: Position
    alert: Alert
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Gap:
    """What came between these is too old to be had as changes: read the lists again. It goes on from `after`."""

    before: Position
    after: Position


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The open alerts as they are, read while no socket could be had. What changed meanwhile still comes as changes."""

    alerts: tuple[Alert, ...]
    position: Position | None


@dataclass(frozen=True, slots=True)
class Broadcast:
    """A message that somebody sent to this client, its framework or the workspace."""

    data: Any


@dataclass(frozen=True, slots=True)
class Notified:
    """An in-app notification for this user."""

    data: Any


Item: TypeAlias = Change | Gap | Snapshot | Broadcast | Notified


class State(StrEnum):
    """How the connection is."""

    IDLE = "idle"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    STALE = "stale"
    """Connected, but the service cannot reach its store: what is shown may be out of date."""
    RECONNECTING = "reconnecting"
    POLLING = "polling"
    FAILED = "failed"
    CLOSED = "closed"
