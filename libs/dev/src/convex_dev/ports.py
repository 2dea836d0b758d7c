"""Loopback ports, the same ones from run to run where they are still free.

They are taken from below the kernel's range for outgoing connections: a client that retries a port of that range while
its server is down may connect to itself and so keep the server from coming back.
"""

from __future__ import annotations

import random
import re
import socket
from collections.abc import Mapping

from convex_dev.errors import Refused
from convex_dev.home import Home

FIRST, LAST = 15000, 29999
RANGE = "CONVEX_PORT_RANGE"
"""Such as 15000-19999: installations that start side by side on one machine do not choose the same port."""
FILE = "ports.json"


def port_range(environment: Mapping[str, str]) -> range:
    """The ports to choose from. Refused for what is no range of ports."""
    told = environment.get(RANGE) or f"{FIRST}-{LAST}"
    found = re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", told)
    first, last = map(int, found.groups()) if found else (0, 0)
    if not 1024 <= first < last <= 65535:
        raise Refused(f"{RANGE}: {told!r} is no range of ports from 1024 to 65535; such as {FIRST}-{LAST}")
    return range(first, last + 1)


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Ports:
    """Hands out a port per name, new ones of `within`."""

    def __init__(self, home: Home, within: range = range(FIRST, LAST + 1)) -> None:
        self._home = home
        self._within = within
        self._kept: dict[str, int] = {name: int(port) for name, port in home.read(FILE).items()}
        self._taken: set[int] = set()

    def take(self, name: str) -> int:
        """The port that `name` had in the last run, or a new one when it has been taken by others."""
        port = self._kept.get(name)
        if port is None or port in self._taken or not is_free(port):
            port = self._new()
            self._kept[name] = port
            self._home.write(FILE, dict(self._kept))
        self._taken.add(port)
        return port

    def claim(self, port: int) -> int:
        """Exactly this port; `Refused` when somebody else listens there."""
        if not is_free(port):
            raise Refused(f"port {port} is in use; stop what listens there or choose another by --port or CONVEX_PORT")
        self._taken.add(port)
        return port

    def _new(self) -> int:
        draw = random.SystemRandom()
        for _ in range(200):
            port = draw.choice(self._within)
            if port not in self._taken and port not in self._kept.values() and is_free(port):
                return port
        raise Refused(f"no free port between {self._within[0]} and {self._within[-1]} on 127.0.0.1")
