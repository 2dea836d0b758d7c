"""How uvicorn has to be started and stopped for the live feed."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, TypeAlias

import uvicorn

from convex_gateway.live.lean import LeanProtocol
from convex_gateway.live.stock import StockProtocol

MAX_FRAME: Final = 64 << 10

Kind: TypeAlias = Literal["lean", "uvicorn"]
"""Whose WebSocket protocol it is: ours, or uvicorn's own."""


def options(kind: Kind = "lean") -> dict[str, Any]:
    """Arguments of `uvicorn.Config`. Pings are the hub's: uvicorn's own would close with 1011 and cost a timer each."""
    return {
        "ws": LeanProtocol if kind == "lean" else StockProtocol,
        "ws_max_size": MAX_FRAME,
        "ws_ping_interval": None,
        "ws_ping_timeout": None,
        "ws_per_message_deflate": False,
    }


class DrainingServer(uvicorn.Server):
    """Drains sockets when it is told to stop; uvicorn alone closes all of them in one instant."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._drain = drain

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen no more, drain, then what uvicorn does."""
        for server in self.servers:
            server.close()
        await self._drain()
        await super().shutdown(sockets)
