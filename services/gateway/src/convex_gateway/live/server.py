"""How uvicorn has to be started and stopped for the live feed."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final

import uvicorn

from convex_gateway.live.wire import LiveProtocol

MAX_FRAME: Final = 64 << 10


def options() -> dict[str, Any]:
    """Arguments of `uvicorn.Config`. Pings are the hub's: uvicorn's own would close with 1011 and cost a timer each."""
    return {
        "ws": LiveProtocol,
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
