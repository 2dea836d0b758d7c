"""Both ends of a connection, asked of the kernel: uvloop's own answer stays with a connection as long as that lasts."""

from __future__ import annotations

import asyncio
import socket
from typing import TypeAlias

from uvicorn.protocols.utils import get_local_addr, get_remote_addr

Local: TypeAlias = tuple[str, int | None] | None
Remote: TypeAlias = tuple[str, int] | None


def ends(transport: asyncio.Transport) -> tuple[Local, Remote]:
    """As ASGI's `server` and `client` have them."""
    told = transport.get_extra_info("socket")
    try:
        asked = socket.socket(told.family, told.type, told.proto, told.fileno())
    except (AttributeError, OSError):  # no socket of the kernel's, or closed already
        return get_local_addr(transport), get_remote_addr(transport)
    try:
        here, there = asked.getsockname(), asked.getpeername()
    except OSError:
        return get_local_addr(transport), None
    finally:
        asked.detach()  # it is the transport's
    local = (str(here[0]), int(here[1])) if isinstance(here, tuple) else (str(here), None)
    return local, (str(there[0]), int(there[1])) if isinstance(there, tuple) else None
