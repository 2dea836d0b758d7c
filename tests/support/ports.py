"""Ports that nobody listens on, of those that belong to this worker."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping, MutableMapping
from functools import cache
from itertools import cycle

from convex_dev.ports import FIRST, LAST, RANGE, is_free, port_range


def free_port() -> int:
    """A port of the loopback interface that was free a moment ago."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Different ones, from below the range of outgoing connections: no client gets hold of one meanwhile."""
    ports = _in_turn(port_range(os.environ))
    return [next(ports) for _ in range(count)]


def range_of(environment: Mapping[str, str]) -> str:
    """The ports of one of the workers that test side by side: between a look at a port and a server that listens there
    pass seconds, in which another worker would find it free as well."""
    worker, workers = int(environment["PYTEST_XDIST_WORKER"][2:]), int(environment["PYTEST_XDIST_WORKER_COUNT"])
    each = (LAST + 1 - FIRST) // workers
    return f"{FIRST + worker * each}-{FIRST + (worker + 1) * each - 1}"


def keep_apart(environment: MutableMapping[str, str]) -> None:
    """Give this process and those that it starts ports of their own, where it is one of several workers."""
    if "PYTEST_XDIST_WORKER" in environment:
        environment.setdefault(RANGE, range_of(environment))


@cache
def _in_turn(within: range) -> Iterator[int]:
    """Free ones, none again before all others: whoever was given one has the time to listen there."""
    start = random.SystemRandom().randrange(len(within))
    return (port for port in cycle([*within[start:], *within[:start]]) if is_free(port))
