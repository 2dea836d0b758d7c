"""Ports that nobody listens on."""

from __future__ import annotations

import random

from convex_dev.ports import FIRST, LAST, is_free


def free_port() -> int:
    """A port of the loopback interface that was free a moment ago."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Different ones, from below the range of outgoing connections: no client gets hold of one meanwhile."""
    ports = (port for port in random.SystemRandom().sample(range(FIRST, LAST), 50 + count) if is_free(port))
    return [next(ports) for _ in range(count)]
