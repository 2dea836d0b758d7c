"""A gateway process of a test's own, on a database and without Redis."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from cryptography.fernet import Fernet

from tests.support.eventually import eventually
from tests.support.rest import SECRET


@dataclass
class GatewayProcess:
    """A running gateway, and what it wrote so far."""

    popen: subprocess.Popen[bytes]
    port: int
    _log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def get(self, path: str, token: str) -> httpx.Response:
        return httpx.get(self.url + path, headers={"Authorization": f"Bearer {token}"}, timeout=20)

    def ready(self) -> bool:
        assert self.popen.poll() is None, self.log
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@contextlib.contextmanager
def gateway_process(database_url: str, **changed: str) -> Iterator[GatewayProcess]:
    """Ready to serve; ended with the test. `{port}` in a setting is the port that it serves on."""
    port, metrics_port, nowhere = free_ports(3)
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url,
        "REDIS_URL": f"redis://127.0.0.1:{nowhere}/0",
        "JWT_SECRET": SECRET,
        "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "GATEWAY_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "PROMETHEUS_PORT": str(metrics_port),
        "METRICS_HOST": "127.0.0.1",
        "RATE_LIMIT_SIGN_IN_PER_ADDRESS": "0",  # which nobody could count without Redis
    } | {name: value.replace("{port}", str(port)) for name, value in changed.items()}
    with tempfile.NamedTemporaryFile(prefix="convex-gateway-", suffix=".log") as log:
        popen = subprocess.Popen([sys.executable, "-m", "convex_gateway.main"], env=environment, stderr=log)
        process = GatewayProcess(popen, port, Path(log.name))
        try:
            eventually(process.ready, within=60, what="a gateway")
            yield process
        finally:
            popen.kill()
            popen.wait()
