"""Gateway processes: further ones beside an installation's own, or one on stores of a test's."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from convex_dev.ports import FIRST, LAST, is_free
from convex_dev.services import program
from convex_dev.stack import Stack
from tests.support.eventually import eventually


@dataclass
class GatewayProcess:
    """A running `convex-gateway`; `log` is what it wrote so far."""

    process: subprocess.Popen[bytes]
    url: str
    metrics_url: str
    _log: Path

    @property
    def folder(self) -> Path:
        """Where its log is, and room for more."""
        return self._log.parent

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def live_url(self) -> str:
        return live_url(self.url)

    def terminate(self) -> int:
        """End it as Kubernetes does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@contextlib.contextmanager
def gateway_beside(stack: Stack, folder: Path, **env: str) -> Iterator[GatewayProcess]:
    """One more gateway on the installation's stores, ready to serve, with `env` added to its environment."""
    with gateway_process(folder, **stack.environment, **env) as gateway:
        yield gateway


@contextlib.contextmanager
def gateway_process(folder: Path, **env: str) -> Iterator[GatewayProcess]:
    """A gateway of this environment, ready to serve."""
    port, metrics_port = _free_ports()
    own = {"GATEWAY_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "PROMETHEUS_PORT": str(metrics_port)}
    log = folder / f"gateway-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen([program("convex-gateway")], env={**os.environ, **env, **own}, stderr=output)
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: _is_ready(url), within=90.0, what=f"a gateway ({log.name})")
        yield GatewayProcess(process, url, f"http://127.0.0.1:{metrics_port}/metrics", log)
    finally:
        process.kill()
        process.wait(10)


def live_url(url: str) -> str:
    """Where a gateway's WebSocket is."""
    return url.replace("http", "ws", 1) + "/ws"


def _free_ports() -> tuple[int, int]:
    free = [port for port in random.sample(range(FIRST, LAST), 50) if is_free(port)]
    return free[0], free[1]


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2.0).status_code == 200
    except httpx.TransportError:
        return False
