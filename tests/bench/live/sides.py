"""Our gateway and its peers, each a fresh process that is ready to be connected to."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from tests.bench.live.ground import PREFIX, Ground
from tests.bench.load import ROOT
from tests.support import gateways
from tests.support.eventually import eventually
from tests.support.ports import free_port
from tests.support.rest import SECRET

OURS: Final = "Convex Alerts"
STOCK: Final = "stock uvicorn, send_json to each"
ENCODED: Final = "stock uvicorn, encoded once, transport.write"
BARE: Final = "bare uvloop, transport.write"

PASSED_ON: Final = ("WS_SERVER",)
"""Settings of the caller's environment that our gateway is given."""


@dataclass(frozen=True)
class Server:
    """A side that runs."""

    pid: int
    port: int


@contextmanager
def _ours(ground: Ground) -> Iterator[Server]:
    environment = gateways.alone(
        ground.store.url,
        REDIS_URL=ground.cache_url,
        QUEUE_PREFIX=PREFIX,
        WS_MAX_PER_WORKSPACE="0",
        WS_MAX_PER_ADDRESS="0",
        WS_CONNECT_RATE="0",
        **{name: value for name, value in os.environ.items() if name in PASSED_ON},
    )
    with gateways.ready(environment) as gateway:
        yield Server(gateway.pid, gateway.port)


@contextmanager
def _peer(kind: str, ground: Ground) -> Iterator[Server]:
    port = free_port()
    given = [kind, str(port), ground.cache_url, PREFIX, str(ground.store.workspace_id), SECRET]
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.live.peers", *given], cwd=ROOT)
    try:
        eventually(partial(_answers, process, port), within=60, what=kind)
        yield Server(process.pid, port)
    finally:
        process.kill()
        process.wait(10)


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    assert process.poll() is None, "it ended, see above"
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


SIDES: Final[dict[str, Callable[[Ground], AbstractContextManager[Server]]]] = {
    OURS: _ours,
    STOCK: partial(_peer, "stock-json"),
    ENCODED: partial(_peer, "stock-write"),
    BARE: partial(_peer, "bare"),
}
