"""What all sessions of a gateway share: whom they ask who somebody is, where they join, and the limits of the house."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field

from prometheus_client import Gauge

from convex_gateway.auth import Authenticator
from convex_gateway.live.admission import Admission
from convex_gateway.live.hub import Hub
from convex_gateway.live.socket import MAX_BACKLOG


@dataclass(frozen=True)
class Terms:
    """How long a session waits for what, in seconds, and how much it lets pile up."""

    heartbeat: float = 30.0
    silence: float = 60.0
    auth: float = 5.0
    lag: float = 10.0
    recheck: float = 22.0
    max_backlog: int = MAX_BACKLOG


@dataclass
class Lobby:
    """`active` counts the open sockets."""

    hub: Hub
    authenticator: Authenticator
    admission: Admission
    terms: Terms
    active: Gauge
    _working: set[asyncio.Task[None]] = field(default_factory=set)

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Do this beside the conversation. It ends by itself, also where the socket is gone meanwhile."""
        task = asyncio.create_task(work)
        self._working.add(task)
        task.add_done_callback(self._working.discard)
